import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Accepted, type Caller, type Conditions, Engine, type EngineParts, streamOf } from '@jalon/engine';
import { type Directory, type Journal, openSqliteJournal, type StoredEvent } from '@jalon/journal';
import Database from 'better-sqlite3';
import { DEMANDES } from './demande.ts';

/** Who takes part in the small procedure of demande.ts. */
export const PEOPLE = {
  demandeur: caller('demandeur', 'Ateliers du Faou', 'Nolwenn Le Bihan'),
  voisin: caller('demandeur', 'Ateliers de Landévennec'),
  agent: caller('agent', 'ANSSI', 'Gwenaël Prigent'),
  chef: caller('chef', 'ANSSI'),
  passant: caller('passant', 'Presse'),
} as const;

function caller(role: string, org: string, name?: string): Caller {
  return { iss: 'https://connexion.example', sub: `${role} ${org}`, roles: [role], org, ...(name ? { name } : {}) };
}

/** The first fact of a demand. */
export const deposit = (around: Record<string, unknown> = {}, data: Record<string, unknown> = {}) => ({
  workflow: 'demande',
  version: 1,
  fact: { type: 'demande.deposee', data: { demandeur: 'Ateliers du Faou', objet: 'Un quai', ...data }, ...around },
});

export const piece = (name: string, around: Record<string, unknown> = {}) => ({
  type: 'demande.piece-recue',
  data: { piece: name },
  ...around,
});

export const avis = (sens: string) => ({ type: 'demande.avis-rendu', data: { sens } });

export const note = (texte: string) => ({ type: 'dossier.note-ajoutee', data: { texte } });

/** Engines over one real journal in a temporary folder, with a clock and an entropy that the spec knows. */
export class Office {
  now = new Date('2026-03-02T09:00:00.000Z');
  journal!: Journal;
  directory!: Directory;
  engine!: Engine;
  #drawn = 0;

  private constructor(
    readonly folder: string,
    private readonly parts: Partial<EngineParts>,
  ) {}

  static async open(parts: Partial<EngineParts> = {}): Promise<Office> {
    const office = new Office(mkdtempSync(join(tmpdir(), 'jalon-engine-')), parts);
    await office.#start();
    return office;
  }

  /** Another engine over the same journal, as in another process: it knows nothing of the first one's memory. */
  another(parts: Partial<EngineParts> = {}): Engine {
    return new Engine({
      journal: this.journal,
      directory: this.directory,
      catalogue: DEMANDES,
      clock: () => this.now,
      entropy: { uuid: () => this.#uuid(), salt: () => this.#salt() },
      software: 'jalon/spec',
      soleWriter: true,
      factsHeld: 10_000,
      acknowledged: null,
      ...this.parts,
      ...parts,
    });
  }

  open(who: Caller, body: unknown = deposit(), conditions: Partial<Conditions> = {}): Promise<Accepted> {
    return this.engine.open(who, body, { route: 'POST /api/dossiers', ...conditions });
  }

  advance(who: Caller, id: string, body: unknown, conditions: Partial<Conditions> = {}): Promise<Accepted> {
    return this.engine.advance(who, id, body, { route: `POST /api/dossiers/${id}/facts`, ...conditions });
  }

  /** A new demand, led through these facts. */
  async led(...facts: readonly (readonly [keyof typeof PEOPLE, object])[]): Promise<string> {
    const { dossier } = await this.open(PEOPLE.demandeur);
    for (const [who, fact] of facts) await this.advance(PEOPLE[who], dossier.id, fact);
    return dossier.id;
  }

  /** What the journal holds of a dossier. */
  async stored(id: string): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for await (const page of this.journal.read(streamOf(id))) events.push(...page);
    return events;
  }

  /** Closes everything, lets `meanwhile` look into or change the files, and starts again with an empty memory. */
  async restart(meanwhile: (folder: string) => void = () => undefined): Promise<void> {
    await this.journal.close();
    meanwhile(this.folder);
    await this.#start();
  }

  async close(): Promise<void> {
    await this.journal.close();
    rmSync(this.folder, { recursive: true });
  }

  async #start(): Promise<void> {
    ({ journal: this.journal, directory: this.directory } = await openSqliteJournal(this.folder));
    this.engine = this.another();
  }

  #uuid(): string {
    this.#drawn += 1;
    return `00000000-0000-4000-8000-${String(this.#drawn).padStart(12, '0')}`;
  }

  #salt(): string {
    this.#drawn += 1;
    return createHash('sha256').update(String(this.#drawn)).digest('hex').slice(0, 32);
  }
}

/** Rows of a file of a data folder, read beside whoever writes it. */
export function peek(folder: string, file: string, sql: string, ...values: string[]): Record<string, unknown>[] {
  const db = new Database(join(folder, file), { readonly: true });
  const rows = db.prepare(sql).all(...values) as Record<string, unknown>[];
  db.close();
  return rows;
}

/** Changes one row of a journal behind everybody's back. */
export function tamper(
  folder: string,
  stream: string,
  revision: number,
  column: 'data' | 'meta' | 'type',
  change: (text: string) => string,
): void {
  const db = new Database(join(folder, 'journal.db'));
  const where = 'where stream = ? and revision = ?';
  const text = db.prepare(`select ${column} from events ${where}`).pluck().get(stream, revision) as string;
  db.prepare(`update events set ${column} = ? ${where}`).run(change(text), stream, revision);
  db.close();
}

/** A journal whose appends reach the real one, and of which `fail` may lose answers. */
export function losing(journal: Journal, fail: (append: number) => Error | undefined): Journal {
  let appends = 0;
  return {
    read: (stream, range) => journal.read(stream, range),
    readAll: (after, filter) => journal.readAll(after, filter),
    tip: () => journal.tip(),
    subscribe: (after, filter, signal) => journal.subscribe(after, filter, signal),
    durability: () => journal.durability(),
    close: () => journal.close(),
    append: async (...append) => {
      const appended = await journal.append(...append);
      appends += 1;
      const fault = fail(appends);
      if (fault) throw fault;
      return appended;
    },
  };
}
