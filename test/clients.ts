import { randomUUID } from 'node:crypto';
import { NoAnswer, type ServerProcess } from './server-process.ts';
import { fact } from './walk.ts';

/** A proposal as a client sent it, with its key, and what it was answered: nothing when the answer never came. */
export type Sent = {
  key: string;
  path: string;
  body: unknown;
  answered?: { id: string; dossier: string; revision: number };
};

const ROLE = 'charge-de-qualification';

/** What a chargé records of an application, over and over. */
const ROUND = [
  'candidature.accuse-emis',
  'candidature.charge-designe',
  'dossier.cible-annoncee',
  'dossier.note-ajoutee',
  'candidature.complements-demandes',
  'candidature.complements-recus',
  'dossier.note-ajoutee',
  'candidature.completee',
  'j0.acceptee',
];

/** Sixteen clients that open dossiers and advance them, as fast as they are answered, until the server goes away. */
export class Clients {
  readonly sent = new Set<Sent>();
  /** Answers that are neither acceptance nor refusal by a rule. */
  readonly odd: unknown[] = [];
  #accepted = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #reached = () => {};
  #running: Promise<unknown> = Promise.resolve();
  #token = '';

  /** Begins; resolves once so many proposals were accepted. */
  async load(server: ServerProcess, accepted: number): Promise<void> {
    this.#token = await server.token(ROLE);
    const reached = new Promise<void>((resolve) => {
      this.#wanted = accepted;
      this.#reached = resolve;
    });
    const { body } = await this.#send(server, this.#opening());
    // Every fourth shares its dossier with others: they queue for its revisions.
    this.#running = Promise.all(
      Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? this.#share(server, body.id) : this.#lead(server))),
    );
    await reached;
  }

  /** Until every client has lost its server. */
  async done(): Promise<void> {
    await this.#running;
  }

  /** Sends again, with its key, what was not answered. */
  async retry(server: ServerProcess): Promise<void> {
    this.#token = await server.token(ROLE);
    const unanswered = [...this.sent].filter(({ answered }) => answered === undefined);
    await Promise.all(unanswered.map((sent) => this.#send(server, sent)));
  }

  async #lead(server: ServerProcess): Promise<void> {
    for (;;) {
      const opened = await this.#try(server, this.#opening());
      if (!opened) return;
      for (const type of ROUND) if (!(await this.#try(server, proposal(opened.id, type)))) return;
    }
  }

  async #share(server: ServerProcess, dossier: string): Promise<void> {
    while (await this.#try(server, proposal(dossier, 'dossier.note-ajoutee')));
  }

  #opening(): Sent {
    const { role: _, ...first } = fact('candidature.deposee', { pieces: PIECES });
    return { key: randomUUID(), path: '/api/dossiers', body: { workflow: 'secnumcloud', fact: first } };
  }

  /** Null when the server is gone. */
  async #try(server: ServerProcess, sent: Sent): Promise<{ id: string } | null> {
    try {
      return (await this.#send(server, sent)).body;
    } catch (fault) {
      if (!(fault instanceof NoAnswer)) throw fault;
      return null;
    }
  }

  async #send(server: ServerProcess, sent: Sent): Promise<{ body: { id: string } }> {
    this.sent.add(sent);
    const { path, key } = sent;
    const { status, body } = await server.send('POST', path, { token: this.#token, body: sent.body, key });
    if (status === 201) sent.answered = { id: body.event.id, dossier: body.id, revision: body.event.revision };
    else this.odd.push({ status, body, sent });
    this.#accepted += 1;
    if (this.#accepted >= this.#wanted) this.#reached();
    return { body };
  }
}

const PIECES = ['candidature.deposee', 'candidature.complements-recus'].flatMap(
  (type) => fact(type).data.pieces as object[],
);

function proposal(dossier: string, type: string): Sent {
  const later = type === 'candidature.complements-demandes' ? { avantLe: '2099-12-31' } : {};
  const { role: _, ...body } = fact(type, later);
  return { key: randomUUID(), path: `/api/dossiers/${dossier}/facts`, body };
}
