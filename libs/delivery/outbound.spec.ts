import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Receiver } from '../../test/receiver.ts';
import { mayReach, Outbound, type Resolve, readRanges } from './index.ts';

const REFUSED = 'L’adresse n’est pas de celles qui peuvent être appelées.';
const LOOPBACK = readRanges(['127.0.0.0/8', '::1']);

describe('The addresses that may be reached', () => {
  test.each([
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '192.0.2.1'],
    ...['198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1'],
    ...['fec0::1', 'ff02::1', '2001:db8::1', '::ffff:10.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::a00:1'],
    ...['2002:a00:1::', '2001::1', '100::1', 'exemple.fr', ''],
  ])('%j is not public', (address) => {
    expect(mayReach(address, 'https:', [])).toBe(false);
  });

  test.each(['8.8.8.8', '193.252.19.3', '2a00:1450:4007::1', '::ffff:8.8.8.8'])('%s is, by https only', (address) => {
    expect([mayReach(address, 'https:', []), mayReach(address, 'http:', [])]).toEqual([true, false]);
  });

  test('configuration adds ranges, there by http as well', () => {
    const ranges = readRanges(['10.2.0.0/16', 'fd12::/16', '192.0.2.7']);
    for (const address of ['10.2.255.1', 'fd12::9', '192.0.2.7', '::ffff:10.2.0.1'])
      expect([address, mayReach(address, 'http:', ranges), mayReach(address, 'https:', ranges)]).toEqual([
        address,
        true,
        true,
      ]);
    for (const address of ['10.3.0.1', 'fd13::9', '192.0.2.8', '8.8.8.8'])
      expect([address, mayReach(address, 'http:', ranges)]).toEqual([address, false]);
  });

  test.each(['10.2.0.0/33', '10.2/16', 'exemple.fr', '', '10.2.0.0/-1', '1/8', '::1/129', '10.0.0.0/8 '])(
    '%j is no range',
    (text) => expect(() => readRanges([text])).toThrow(RangeError),
  );
});

describe('A request to an address that somebody else chose', () => {
  let inside: Receiver;
  let outbound: Outbound;
  beforeEach(async () => {
    inside = await Receiver.open();
  });
  afterEach(async () => {
    await outbound.close();
    await inside.close();
  });

  const post = async (url: string) => outbound.send('POST', url, {}, '{}');
  const named = (...answers: string[]): Resolve => {
    let asked = 0;
    return (_, found) => {
      const address = answers[Math.min(asked, answers.length - 1)] as string;
      asked += 1;
      found(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
    };
  };

  test.each([
    (port: number) => `http://127.0.0.1:${port}/`,
    (port: number) => `http://2130706433:${port}/`,
    (port: number) => `http://0x7f.1:${port}/`,
    (port: number) => `http://localhost:${port}/`,
    (port: number) => `http://[::ffff:127.0.0.1]:${port}/`,
    (port: number) => `https://127.0.0.1:${port}/`,
    (port: number) => `https://[::1]:${port}/`,
  ])('does not reach this machine: %s', async (address) => {
    outbound = new Outbound({ ranges: [] });
    expect(await post(address(inside.port))).toMatchObject({ status: null, error: REFUSED });
    expect(inside.received).toEqual([]);
  });

  test('is judged at every connection: a name that led outside first, and then inside, is refused', async () => {
    let asked = 0;
    const outside = '127.0.0.2';
    const resolve: Resolve = (_, found) => {
      asked += 1;
      found(null, [{ address: asked === 1 ? outside : '127.0.0.1', family: 4 }]);
    };
    // What stands for « outside » in this test is one address of this machine, for « inside » all others.
    outbound = new Outbound({ ranges: readRanges([outside]), resolve });
    inside.answer = () => ({ status: 204, headers: { connection: 'close' } });
    const elsewhere = await Receiver.open(0, outside);
    const url = `http://exemple.fr:${elsewhere.port}/`;
    elsewhere.answer = () => ({ status: 204, headers: { connection: 'close' } });
    expect(await post(url)).toMatchObject({ status: 204 });
    expect(await post(url)).toMatchObject({ status: null, error: REFUSED });
    expect([asked, elsewhere.received.length]).toEqual([2, 1]);
    await elsewhere.close();
  });

  test('goes to the addresses of a name that may be reached, and to no other', async () => {
    const both: Resolve = (_, found) =>
      found(null, [
        { address: '10.0.0.1', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    outbound = new Outbound({ ranges: LOOPBACK, resolve: both });
    expect(await post(`http://exemple.fr:${inside.port}/`)).toMatchObject({ status: 204, error: null });
  });

  test('to a name that leads inside is refused before anything is sent', async () => {
    outbound = new Outbound({ ranges: [], resolve: named('192.168.1.1') });
    expect(await post('https://interne.example/')).toMatchObject({ status: null, error: REFUSED });
  });

  test('does not follow redirects', async () => {
    outbound = new Outbound({ ranges: LOOPBACK });
    const target = await Receiver.open();
    inside.answer = () => ({ status: 307, headers: { location: target.url } });
    expect(await post(inside.url)).toMatchObject({ status: 307 });
    expect(target.received).toEqual([]);
    await target.close();
  });

  test('is answered when the status has come, whatever becomes of the rest', async () => {
    outbound = new Outbound({ ranges: LOOPBACK });
    inside.answer = () => ({ status: 200, endless: true });
    expect(await post(inside.url)).toMatchObject({ status: 200, error: null });
    inside.answer = () => ({ status: 202, headers: { 'content-length': '10' }, endless: true });
    expect(await post(inside.url)).toMatchObject({ status: 202, error: null });
  });

  test('ends when nothing comes in time, and never throws', async () => {
    outbound = new Outbound({ ranges: LOOPBACK, patienceMs: 100 });
    inside.answer = () => 'hang';
    expect(await post(inside.url)).toMatchObject({ status: null, error: 'Pas de réponse en 0.1 s.' });
    inside.answer = () => 'reset';
    expect((await post(inside.url)).error).toMatch(/^La connexion a échoué/);
  });
});
