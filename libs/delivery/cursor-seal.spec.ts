import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CursorRefused, CursorSeal, cursorOf, type DeliveryStore, openDeliveries } from './index.ts';

let folder: string;
let stores: DeliveryStore[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-curseurs-'));
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true });
});

async function opened(where = folder): Promise<CursorSeal> {
  const store = openDeliveries(where);
  stores.push(store);
  const seal = new CursorSeal(store);
  await Promise.all([seal.ready(), seal.ready()]);
  return seal;
}

const PLACE = { before: 12n, position: 13n, hash: '00112233445566aa', recordedAt: 1_772_000_000_000 };

describe('A sealed cursor', () => {
  test('tells nothing of what it names, is always the same for the same place, and opens again after a restart', async () => {
    const seal = await opened();
    const text = cursorOf(PLACE);
    const sealed = seal.seal('place', text);
    expect(seal.seal('place', text)).toBe(sealed);
    expect(Buffer.from(sealed, 'base64url').includes(Buffer.from(text))).toBe(false);
    expect(Buffer.from(sealed, 'base64url').includes(Buffer.from(PLACE.hash, 'hex'))).toBe(false);
    expect(seal.open('place', sealed)).toBe(text);
    const fresh = seal.seal('place', text, 'fresh');
    expect(fresh).not.toBe(sealed);
    expect(seal.open('place', fresh)).toBe(text);

    await stores.pop()?.close();
    expect((await opened()).open('place', sealed)).toBe(text);
  });

  test('is refused with any bit changed, cut, lengthened, of another use, another store or an earlier build', async () => {
    const seal = await opened();
    const sealed = seal.seal('place', cursorOf(PLACE));
    const bytes = Buffer.from(sealed, 'base64url');
    const forged = [...bytes.keys()].map((at) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      return changed.toString('base64url');
    });
    const elsewhere = mkdtempSync(join(tmpdir(), 'jalon-ailleurs-'));
    try {
      forged.push(sealed.slice(0, -4), `${sealed}AAAA`, `${sealed}=`, '', 'start', cursorOf(PLACE));
      forged.push((await opened(elsewhere)).seal('place', cursorOf(PLACE)), seal.seal('page', cursorOf(PLACE)));
      for (const cursor of forged) expect(() => [cursor, seal.open('place', cursor)]).toThrow(CursorRefused);
    } finally {
      await stores.pop()?.close();
      rmSync(elsewhere, { recursive: true });
    }
  });
});
