/** Keys under which Nest injects what is made before it: see app.module.ts. */
export const ENGINE = Symbol('engine');
export const PRODUCT = Symbol('product');
export const CONFIG = Symbol('config');
export const STREAMS = Symbol('streams');

export type { Engine } from '@jalon/engine';
export type { Config } from './config.ts';
export type { Product } from './product.ts';
