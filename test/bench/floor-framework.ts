// Floor F2: the bare framework (Nest on Fastify) answering a constant.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';

@Controller()
class Constant {
  @Get()
  answer(): object {
    return { constant: true };
  }
}

@Module({ controllers: [Constant] })
class Bare {}

const app = await NestFactory.create<NestFastifyApplication>(Bare, new FastifyAdapter(), { logger: false });
await app.listen(0, '127.0.0.1');
process.send?.({ port: Number(new URL(await app.getUrl()).port) });
