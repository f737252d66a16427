import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { verifyWhole } from '../apps/cli/verify-journal.ts';
import { fortyFacts, namedParties } from './bundles.ts';
import { lead } from './parties.ts';
import { randomFrom } from './requests.ts';
import { run } from './running.ts';
import { wayTo } from './walk.ts';

/** Values of each column that are changed, each in a copy of the folder: a campaign changes many. */
const VALUES = process.env.JALON_TEST === 'long' ? 25 : 1;
const SEED = Number(process.env.JALON_SEED ?? Date.now() % 1_000_000);

/**
 * What may change and nobody is told: what says how the server is set up, what it does next and what it did, and none of
 * what was recorded. Each with what depends on it.
 */
const UNVOUCHED: Readonly<Record<string, string>> = {
  'livraisons.db': 'webhooks and how far each is: a cursor set back delivers again, under the same event ids',
  'reglages.db': 'tokens of calendars, reminders and preferences',
  'lock.db': 'empty',
  'preuve.db log.wanted': 'asks for a checkpoint earlier than it would be cut',
  'preuve.db checkpoints.cut_at': 'tells when; the note does not say',
  'preuve.db keys.since': 'tells when; the log of accesses records it',
  'preuve.db keys.until': 'tells when; the log of accesses records it',
  'preuve.db seals': 'asks of processes to each other, answered within seconds',
  'preuve.db closed': 'notes of origins that were closed: both heads are in the log of accesses',
  'preuve.db log.id': 'the only row',
  'lectures.db projection_generations':
    'a read model that is not live, or of no version of this build, is derived again',
  'lectures.db projection_parked': 'told in readiness; derived again by a rebuild',
};

let model: string;

beforeAll(async () => {
  model = mkdtempSync(join(tmpdir(), 'jalon-tamper-'));
  const server = await run({ folder: model, now: () => new Date('2025-07-02T10:00:00Z') });
  const tokens = await namedParties(server);
  const id = await fortyFacts(server, tokens);
  await lead(server, tokens, wayTo('j1.centre-attendu'));
  await server.call(tokens.auditeur, 'GET', `/api/dossiers/${id}/facts?limit=200`);
  await server.stop('keep');
}, 60_000);
afterAll(() => rmSync(model, { recursive: true }));

/** A column of a row, the row by its place in the order of the table. */
type Place = { file: string; table: string; column: string; row: number };

/** Every column of every table of the folder's stores that is vouched for, with rows drawn at random. */
function places(draw: (below: number) => number): Place[] {
  return readdirSync(model)
    .filter((file) => file.endsWith('.db') && !(file in UNVOUCHED))
    .flatMap((file) => {
      const db = new Database(join(model, file), { readonly: true });
      const tables = db
        .prepare<[], string>("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
        .pluck()
        .all()
        .filter((table) => !(`${file} ${table}` in UNVOUCHED));
      const found = tables.flatMap((table) => {
        const columns = db.prepare<[string], string>('select name from pragma_table_info(?)').pluck().all(table);
        return columns
          .filter((column) => !(`${file} ${table}.${column}` in UNVOUCHED))
          .flatMap((column) => {
            const values = db.prepare<[], unknown>(`select "${column}" from "${table}"`).pluck().all();
            const full = values.flatMap((value, row) => (value === null || value === '' ? [] : [row]));
            const drawn =
              full.length === 0 ? [] : Array.from({ length: VALUES }, () => full[draw(full.length)] as number);
            return [...new Set(drawn)].map((row) => ({ file, table, column, row }));
          });
      });
      db.close();
      return found;
    });
}

/** Flips the lowest bit of one byte, or the sign of what a number says; of a text one that leaves it a text. */
function flip(folder: string, { file, table, column, row }: Place, draw: (below: number) => number): string | null {
  const db = new Database(join(folder, file));
  try {
    const keys = db
      .prepare<[string], string>('select name from pragma_table_info(?) where pk > 0')
      .pluck()
      .all(table)
      .map((key) => `"${key}"`);
    const by = keys.length > 0 ? keys : ['rowid'];
    const rows = db.prepare(`select ${by.join()}, "${column}" from "${table}" limit 1 offset ?`).raw();
    const found = rows.get(row) as unknown[];
    const value = found.at(-1);
    const changed = flipped(value, draw);
    const where = by.map((key) => `${key} = ?`).join(' and ');
    db.prepare(`update "${table}" set "${column}" = ? where ${where}`).run(changed, ...found.slice(0, -1));
    return `${String(value).slice(0, 60)} → ${String(changed).slice(0, 60)}`;
  } catch (refused) {
    // A key that is taken, or a check of the store's own: nothing was changed.
    if ((refused as { code?: string }).code?.startsWith('SQLITE_CONSTRAINT')) return null;
    throw refused;
  } finally {
    db.close();
  }
}

function flipped(value: unknown, draw: (below: number) => number): unknown {
  if (typeof value === 'number') return value ^ 1;
  const bytes = Buffer.from(value as string | Buffer);
  // Of a byte beyond ASCII no bit is changed: the text would be none any more.
  for (let at = draw(bytes.length); ; at = (at + 1) % bytes.length) {
    const byte = bytes[at] as number;
    if (typeof value === 'string' && byte >= 0x80) continue;
    bytes[at] = byte ^ 1;
    return typeof value === 'string' ? bytes.toString() : bytes;
  }
}

test(`chaque colonne de chaque magasin, un bit changé, est vue (graine ${SEED})`, async () => {
  const random = randomFrom(SEED);
  const draw = (below: number) => Math.floor(random() * below);
  const unseen: string[] = [];
  let changed = 0;
  for (const place of places(draw)) {
    const folder = mkdtempSync(join(tmpdir(), 'jalon-tamper-'));
    cpSync(model, folder, { recursive: true });
    const what = flip(folder, place, draw);
    if (what !== null) {
      changed += 1;
      const verified = verifyWhole({ house: { folder }, checkpoints: [], keys: [], threads: 1, say: () => undefined });
      // A journal that cannot be opened any more is refused, in a sentence.
      const isSeen = await verified.then(
        ({ ok }) => !ok,
        ({ name }) => name !== 'TypeError',
      );
      if (!isSeen) unseen.push(`${place.file} ${place.table}.${place.column} row ${place.row}: ${what}`);
    }
    rmSync(folder, { recursive: true });
  }
  expect(unseen).toEqual([]);
  expect(changed).toBeGreaterThan(60);
}, 1_800_000);
