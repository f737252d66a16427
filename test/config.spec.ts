import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertDatabaseFits } from '@jalon/journal';
import { noteKey, verifierKey } from '@jalon/proof';
import { describe, expect, test } from '@jest/globals';
import { ConfigRefused, readConfig, witnessOf } from '../apps/api/config.ts';
import { openProduct } from '../apps/api/product.ts';

const OIDC = { OIDC_ISSUER: 'https://login.example', OIDC_AUDIENCE: 'https://jalon.example' };
const WITNESS = verifierKey(noteKey('temoin.example', Buffer.alloc(32, 7), 'cosignature'), 'cosignature');
const DATABASE = { DATABASE_URL: 'postgres://jalon:secret@base.example/jalon' };

describe('the configuration', () => {
  test('needs nothing: a demonstration on this machine', () => {
    expect(readConfig({ PATH: '/bin', HOME: '/root' })).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      JALON_DATA: './data',
      JALON_SAMPLE: 'public',
      JALON_RATE: 1200,
      OIDC_ROLES_CLAIM: 'roles',
      JALON_ROLES: ['api', 'projector', 'delivery', 'clock', 'signer'],
      JALON_WEBHOOK_ALLOW: [],
      JALON_TRUSTED_PROXIES: [],
      JALON_WITNESSES: [],
      LOG_LEVEL: 'info',
      demonstration: true,
    });
  });

  test('knows witnesses by their keys and addresses', () => {
    const given = `${WITNESS} https://temoin.example/jalon ,\n${WITNESS}   http://127.0.0.1:3100`;
    const { JALON_WITNESSES } = readConfig({ JALON_WITNESSES: given });
    expect(JALON_WITNESSES.map(witnessOf).map(({ key, url }) => [key.name, url])).toEqual([
      ['temoin.example', 'https://temoin.example/jalon'],
      ['temoin.example', 'http://127.0.0.1:3100/'],
    ]);
  });

  test('takes what the environment says, and an empty variable for none', () => {
    const given = { PORT: '8080', JALON_RATE: '0', JALON_SAMPLE: 'none', LOG_LEVEL: '', JALON_DATA: '' };
    expect(readConfig({ ...given, ...OIDC, HOST: '0.0.0.0', JALON_PUBLIC_URL: 'https://jalon.example' })).toMatchObject(
      {
        PORT: 8080,
        HOST: '0.0.0.0',
        JALON_RATE: 0,
        JALON_SAMPLE: 'none',
        LOG_LEVEL: 'info',
        JALON_DATA: './data',
        demonstration: false,
      },
    );
  });

  test('divides what processes do when they share a database', () => {
    expect(readConfig({ ...DATABASE, JALON_ROLES: 'projector' })).toMatchObject({ JALON_ROLES: ['projector'] });
    expect(readConfig({ ...DATABASE, JALON_ROLES: ' api, projector' }).JALON_ROLES).toEqual(['api', 'projector']);
    expect(readConfig({ DATABASE_URL: 'postgresql:///jalon?host=/run/postgresql' })).toBeDefined();
  });

  test.each(['127.0.0.1', 'localhost', '::1'])('accepts HOST=%s in demonstration', (HOST) => {
    expect(readConfig({ HOST }).HOST).toBe(HOST);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['a port that is no number', { PORT: 'http' }, /^PORT .*"http"/],
    ['a port out of range', { PORT: '65536' }, /^PORT .*65536/],
    ['a port with a fraction', { PORT: '3000.5' }, /^PORT /],
    ['a port that only begins as a number', { PORT: '3000x' }, /^PORT .*"3000x"/],
    ['a negative rate', { JALON_RATE: '-1' }, /^JALON_RATE .*-1/],
    ['an unknown sample', { JALON_SAMPLE: 'private' }, /^JALON_SAMPLE .*public, none.*"private"/],
    ['an unknown log level', { LOG_LEVEL: 'verbose' }, /^LOG_LEVEL .*"verbose"/],
    ['an issuer that is no address', { ...OIDC, OIDC_ISSUER: 'login' }, /^OIDC_ISSUER .*"login"/],
    ['an unknown role', { ...DATABASE, JALON_ROLES: 'api,pendule' }, /^JALON_ROLES .*api, projector.*"api,pendule"/],
    ['an origin of two words', { JALON_ORIGIN: 'le journal' }, /^JALON_ORIGIN .*"le journal"/],
    ['a role named twice', { ...DATABASE, JALON_ROLES: 'api, api' }, /^JALON_ROLES names a role twice/],
    ['roles that are divided without a database', { JALON_ROLES: 'api' }, /^DATABASE_URL is needed .*projector/],
    [
      'another database than PostgreSQL',
      { DATABASE_URL: 'mysql://u:secret@h/d' },
      /^DATABASE_URL (?!.*secret).*postgres:/,
    ],
    [
      'ranges of addresses that are none',
      { JALON_WEBHOOK_ALLOW: '10.2.0.0/16,ici' },
      /^JALON_WEBHOOK_ALLOW .*"10\.2.*ici"/,
    ],
    [
      'a witness without an address',
      { JALON_WITNESSES: `${WITNESS} https://temoin.example, ${WITNESS}` },
      /^JALON_WITNESSES .*name\+id\+key https/,
    ],
    [
      'a witness known by the key of a log',
      { JALON_WITNESSES: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k https://t.example' },
      /^JALON_WITNESSES /,
    ],
    ['a proxy that has no address', { JALON_TRUSTED_PROXIES: '10.2.0.1,frontal' }, /^JALON_TRUSTED_PROXIES .*frontal"/],
    ['a range of proxies that is none', { JALON_TRUSTED_PROXIES: '10.2.0.0/33' }, /^JALON_TRUSTED_PROXIES .*\/33"/],
    ['everybody for a proxy', { JALON_TRUSTED_PROXIES: '::/0' }, /^JALON_TRUSTED_PROXIES must not be everybody/],
    ['a public address that is none', { JALON_PUBLIC_URL: 'jalon' }, /^JALON_PUBLIC_URL .*"jalon"/],
    [
      'a public address with a path',
      { JALON_PUBLIC_URL: 'https://example.fr/jalon' },
      /^JALON_PUBLIC_URL .*without a path.*jalon"/,
    ],
    [
      'a public address with a query',
      { JALON_PUBLIC_URL: 'https://example.fr?a=1' },
      /^JALON_PUBLIC_URL .*without a path/,
    ],
    ['an issuer in clear', { ...OIDC, OIDC_ISSUER: 'http://login.example' }, /^OIDC_ISSUER must be reached by https/],
    [
      'an issuer in clear that begins like this machine',
      { ...OIDC, OIDC_ISSUER: 'http://localhost.example' },
      /^OIDC_ISSUER must be reached by https/,
    ],
    [
      'several hosts of a database',
      { DATABASE_URL: 'postgres://u:secret@a:5432,b:5432/d' },
      /^DATABASE_URL (?!.*secret).*one host/,
    ],
    ['a demonstration open to others', { HOST: '0.0.0.0' }, /^HOST=0\.0\.0\.0 .*OIDC_ISSUER.*127\.0\.0\.1/],
    ['an issuer without an audience', { OIDC_ISSUER: 'https://login.example' }, /^OIDC_AUDIENCE /],
    ['an audience without an issuer', { OIDC_AUDIENCE: 'https://jalon.example' }, /^OIDC_ISSUER /],
  ])('refuses %s, in one line that names the variable', (_, env, line) => {
    expect(() => readConfig(env)).toThrow(ConfigRefused);
    expect(() => readConfig(env)).toThrow(line);
    expect(() => readConfig(env)).not.toThrow(/\n/);
  });
});

describe('What it stands on', () => {
  test('a data folder whose path is too long for the socket is refused by its length, and not created', async () => {
    const folder = join(tmpdir(), 'd'.repeat(100));
    await expect(
      openProduct(
        folder,
        () => new Date(),
        () => undefined,
      ),
    ).rejects.toThrow(/^JALON_DATA=.*d is too long by \d+ bytes .*: choose a shorter path\.$/);
    expect(existsSync(folder)).toBe(false);
  });

  test('a pooler that shares sessions by the transaction is refused', async () => {
    const pooler = await sharedSession();
    await expect(assertDatabaseFits(pooler.url)).rejects.toThrow(/^DATABASE_URL leads to a pooler .*session mode\.$/);
    await pooler.stop();
  });
});

/** What speaks as PostgreSQL does, and has every client in the one session that it has: a pooler by the transaction. */
async function sharedSession(): Promise<{ url: string; stop(): Promise<void> }> {
  const text = (value: string) => Buffer.from(`${value}\0`);
  const int = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const message = (type: string, ...parts: Buffer[]) => {
    const body = Buffer.concat(parts);
    return Buffer.concat([Buffer.from(type), int(body.length + 4, 4), body]);
  };
  const column = (name: string, type: number) =>
    Buffer.concat([text(name), int(0, 4), int(0, 2), int(type, 4), int(-1, 2), int(-1, 4), int(0, 2)]);
  const value = (said: string) => Buffer.concat([int(Buffer.byteLength(said), 4), Buffer.from(said)]);
  const ready = message('Z', Buffer.from('I'));
  const answer = Buffer.concat([
    message('T', int(2, 2), column('pid', 23), column('encoding', 25)),
    message('D', int(2, 2), value('42'), value('UTF8')),
    message('C', text('SELECT 1')),
    ready,
  ]);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    // What it begins with is a startup message; queries follow.
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', int(0, 4)), ready]));
      socket.on('data', (bytes) => bytes.toString('latin1', 0, 1) === 'Q' && socket.write(answer));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `postgres://jalon:jalon@127.0.0.1:${port}/jalon`,
    stop: () => new Promise((closed) => server.close(() => closed())),
  };
}
