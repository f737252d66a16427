import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { placeOf } from '../apps/api/rate.ts';
import { type Issuer, startIssuer } from './issuer.ts';
import { refused } from './parties.ts';
import { type Running, run } from './running.ts';

const RATE = 5;
let now = new Date('2025-07-02T10:00:00Z');
let issuer: Issuer;
let server: Running;
let direct: Running;

beforeAll(async () => {
  issuer = await startIssuer(() => now);
  const env = { ...issuer.env, JALON_RATE: String(RATE) };
  server = await run({ now: () => now, env: { ...env, JALON_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1' } });
  direct = await run({ now: () => now, env });
});
afterAll(async () => {
  await server.stop();
  await direct.stop();
  await issuer.stop();
  expect([...server.alarms, ...direct.alarms]).toEqual([]);
});
// Whatever a test spent has come back when the next begins.
beforeEach(() => {
  now = new Date(now.getTime() + 120_000);
});

const token = (sub: string) => issuer.token({ sub, roles: ['auditeur'] });
const from = (forwarded: string) => ({ 'x-forwarded-for': forwarded });
const get = (bearer: string | null, path: string, headers = {}, of = server) =>
  of.call(bearer, 'GET', path, undefined, headers);

/** Asks as often as the rate lets one, and is then told to wait. */
async function spend(ask: () => ReturnType<Running['call']>, status: number, of = server): Promise<void> {
  for (let asked = 0; asked < RATE; asked += 1) expect((await ask()).status).toBe(status);
  const told = await refused(of, 'trop-de-requetes', ask);
  expect(Number(told.headers.get('retry-after'))).toBeGreaterThan(0);
}

describe('requests are limited before anything is done for them', () => {
  test('without a token per address, whatever is asked: nothing is worth more than another', async () => {
    const paths = ['/api/dossiers', '/api/register', '/nowhere', '/api/dossiers/7', '/version'];
    for (const path of paths) expect((await get(null, path, from('192.0.2.1'))).status).not.toBe(429);
    for (const path of paths) await refused(server, 'trop-de-requetes', () => get(null, path, from('192.0.2.1')));
    expect((await get(null, '/version', from('192.0.2.2'))).status).toBe(200);
  });

  test('with a refused token per address, then without looking at it: 429 comes before 401', async () => {
    const wrong = `${(await token('x')).slice(0, -6)}AAAAAA`;
    await spend(() => get(wrong, '/api/dossiers', from('192.0.2.3')), 401);
    const unknown = await token('un autre');
    await refused(server, 'trop-de-requetes', () => get(unknown, '/api/dossiers', from('192.0.2.3')));
    expect((await get(unknown, '/api/dossiers', from('192.0.2.4'))).status).toBe(200);
  });

  test('with a valid token per caller: an office behind one address is not one caller', async () => {
    const office = await Promise.all(Array.from({ length: 4 * RATE }, (_, person) => token(`bureau-${person}`)));
    const answers = await Promise.all(office.map((bearer) => get(bearer, '/api/dossiers', from('192.0.2.5'))));
    expect(answers.map(({ status }) => status)).toEqual(office.map(() => 200));
    const one = office[0] as string;
    for (let asked = 1; asked < RATE; asked += 1)
      expect((await get(one, '/api/dossiers', from(`192.0.2.${asked}`))).status).toBe(200);
    await refused(server, 'trop-de-requetes', () => get(one, '/api/dossiers', from('192.0.2.99')));
    // Whoever has a valid token goes on while another of the same address, without one, is told to wait.
    await spend(() => get(null, '/api/dossiers', from('192.0.2.5')), 401);
    expect((await get(office[1] as string, '/api/dossiers', from('192.0.2.5'))).status).toBe(200);
  });

  test('and answered again once time has passed', async () => {
    await spend(() => get(null, '/version', from('192.0.2.6')), 200);
    now = new Date(now.getTime() + 60_000 / RATE);
    expect((await get(null, '/version', from('192.0.2.6'))).status).toBe(200);
    await refused(server, 'trop-de-requetes', () => get(null, '/version', from('192.0.2.6')));
  });

  test('but never those that ask how the process is', async () => {
    await spend(() => get(null, '/version', from('192.0.2.7')), 200);
    for (const path of ['/health/live', '/health/ready'])
      for (let asked = 0; asked < 2 * RATE; asked += 1)
        expect((await get('sesame', path, from('192.0.2.7'))).status).toBe(200);
  });
});

describe('who asks', () => {
  test('is who the nearest proxy that is trusted says, not what was written before it', async () => {
    await spend(() => get(null, '/version', from('192.0.2.8, 10.1.1.1')), 200);
    let drawn = 0;
    const spoofed = () => get(null, '/version', from(`203.0.113.${drawn++}, 192.0.2.8, 10.1.1.1`));
    await refused(server, 'trop-de-requetes', spoofed);
    await refused(server, 'trop-de-requetes', spoofed);
  });

  test('is the peer itself, whatever it writes, when it is no trusted proxy', async () => {
    let drawn = 0;
    await spend(() => get(null, '/version', from(`203.0.113.${drawn++}`), direct), 200, direct);
  });

  test('is one place for the whole /64 of an IPv6 address, and however it is written', async () => {
    let drawn = 0;
    await spend(() => get(null, '/version', from(`2001:db8:0:1::${(drawn++).toString(16)}`)), 200);
    expect((await get(null, '/version', from('2001:db8:0:2::1'))).status).toBe(200);
    expect(placeOf('2001:DB8:0:1:ffff::7')).toBe(placeOf('2001:db8:0:1::'));
    expect(placeOf('[2001:db8:0:1::7]:443')).toBe(placeOf('2001:db8:0:1::9%eth0'));
    expect(placeOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(placeOf('192.0.2.1:51234')).toBe('192.0.2.1');
    expect(placeOf('_hidden')).toBe(placeOf('unknown'));
  });
});
