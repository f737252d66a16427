import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type CalendarDate, type PublishedWorkflow, parisDate } from '@jalon/flow';
import fc from 'fast-check';
import { catalogue } from '../workflows/index.ts';
import type { Cluster, ClusterNode } from './cluster.ts';
import { choice, orgOf, type Proposed, proposalOf, type Recorded } from './proposals.ts';
import { NoAnswer, type ServerProcess } from './server-process.ts';
import { type Step, walkToJ3 } from './walk.ts';

type Answer = Awaited<ReturnType<ServerProcess['send']>>;

/** A proposal as a client sent it, to one node or to two at once, and the answers that it did not send again after. */
export type Sent = { correlationId: string; path: string; body: object; answers: Answer[] };

/** What clients know of a dossier, from the last answer that any of them got. */
type Known = { listed: readonly string[]; since: CalendarDate | null; recorded: readonly Recorded[] };

/** A turn of chance: which proposal, of which dossier, to which node, whether to another at the same time, and to be read? */
const turn = fc.record({ chance: choice, dossier: fc.nat(), node: fc.nat(), twice: fc.nat(19), read: fc.nat(9) });

/** Turns drawn for each client, which begins anew after the last. */
const TURNS = 400;

/** After these only notes are accepted: clients that took them whenever they can would soon have nothing left to say. */
const ENDINGS = new Set(
  ['candidature.refusee', 'candidature.cloturee', 'dossier.retire', 'j3.qualification-refusee'].concat(
    ['renonciation', 'qualification-abrogee', 'qualification-retiree'].map((end) => `suivi.${end}`),
  ),
);

/** What was not answered is sent again after so long, then twice as long. */
const PAUSE_MS = { first: 25, longest: 400 };

/**
 * Clients that lead the same dossiers, each proposal to a node drawn at random. One that gets no answer, or 503, sends the
 * same again with the same Idempotency-Key, to whichever node, until it is answered something else; that answer stands.
 */
export class Crowd {
  readonly sent: Sent[] = [];
  readonly dossiers: string[] = [];
  /** How often something was sent again since the connection was cut or the answer was 503, and read elsewhere. */
  readonly counted = { cut: 0, unavailable: 0, read: 0 };
  /** Answers that no client should get: 503 without Retry-After, a timeline that lacks the position asked for. */
  readonly wrong: unknown[] = [];
  readonly #known = new Map<string, Known>();
  readonly #workflow = catalogue.find('secnumcloud', 1) as PublishedWorkflow;
  #accepted = 0;
  #going = true;
  #running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly cluster: Cluster,
    private readonly seed: number,
  ) {}

  /** How many proposals were accepted so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Opens dossiers, leads each through fewer than so many facts of the usual way, then sends so many clients to them. */
  async begin(clients: number, dossiers: number, usual: number): Promise<void> {
    await Promise.all(Array.from({ length: dossiers }, (_, n) => this.#lead(n, walkToJ3().slice(0, 1 + (n % usual)))));
    this.#running = Promise.all(Array.from({ length: clients }, (_, n) => this.#client(n)));
    // `finish` tells; until then a fault must not end the process.
    this.#running.catch(() => undefined);
  }

  /** Lets every client have the answer to its last proposal. */
  async finish(): Promise<void> {
    this.#going = false;
    await this.#running;
  }

  async #lead(n: number, steps: readonly Step[]): Promise<void> {
    let id: string | null = null;
    for (const { role, ...body } of steps) {
      const accepted = await this.#propose({ role, org: orgOf(role), body }, n, id, [n]);
      if (!accepted) throw new Error(`The usual way was refused at ${body.type}.`);
      id = accepted.body.id;
    }
    this.dossiers.push(id as string);
  }

  async #client(n: number): Promise<void> {
    const turns = fc.sample(turn, { seed: this.seed + n, numRuns: TURNS });
    for (let i = 0; this.#going; i = (i + 1) % TURNS) {
      const { chance, dossier, node, twice, read } = turns[i]!;
      const id = this.dossiers[dossier % this.dossiers.length] as string;
      const { listed, since, recorded } = this.#known.get(id) as Known;
      const goingOn = listed.filter((type) => !ENDINGS.has(type));
      const today = parisDate(new Date());
      const standing = { workflow: this.#workflow, listed: goingOn, since, today, others: [], recorded };
      const to = twice === 0 ? [node, node + 1] : [node];
      const accepted = await this.#propose(proposalOf(standing, chance), n, id, to);
      if (accepted && read === 0) await this.#readElsewhere(accepted, node + 1);
    }
  }

  /** Sends a proposal of a client to these nodes at once, for a new dossier (null); gives an answer that accepts it. */
  async #propose({ role, org, body }: Proposed, client: number, dossier: string | null, to: readonly number[]) {
    const correlationId = randomUUID();
    const proposed = { ...body, correlationId };
    const sent: Sent =
      dossier === null
        ? { correlationId, path: '/api/dossiers', body: { workflow: 'secnumcloud', fact: proposed }, answers: [] }
        : { correlationId, path: `/api/dossiers/${dossier}/facts`, body: proposed, answers: [] };
    this.sent.push(sent);
    // Another subject in each role: an opinion and the decision on it are not the same person's.
    const token = await this.cluster.token(role, `${role} ${client}`, org);
    await Promise.all(to.map(async (node) => sent.answers.push(await this.#insist(node, sent, token))));
    const accepted = sent.answers.find(({ status }) => status === 201);
    if (accepted) {
      this.#accepted += 1;
      this.#learn(accepted.body);
    }
    return accepted;
  }

  /** Until it is answered: what is not, or is with 503, is sent again to the next node. */
  async #insist(first: number, { path, body, correlationId: key }: Sent, token: string): Promise<Answer> {
    let pauseMs = PAUSE_MS.first;
    for (let n = first; ; n += 1) {
      try {
        const answer = await this.#node(n).send('POST', path, { token, body, key });
        if (answer.status !== 503) return answer;
        this.counted.unavailable += 1;
        if (answer.headers.get('retry-after') === null) this.wrong.push(answer);
      } catch (fault) {
        if (!(fault instanceof NoAnswer)) throw fault;
        this.counted.cut += 1;
      }
      await pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
    }
  }

  /** Another node shows what was acknowledged, or says that it cannot yet. */
  async #readElsewhere({ body: { id, position, revision } }: Answer, node: number): Promise<void> {
    const token = await this.cluster.token('auditeur', 'auditeur');
    const path = `/api/dossiers/${id}/timeline?min-position=${position}`;
    const read = await this.#node(node)
      .send('GET', path, { token })
      .catch((fault) => {
        if (!(fault instanceof NoAnswer)) throw fault;
      });
    if (read?.status === 200) this.counted.read += 1;
    const shown = read?.status === 200 ? read.body.revision >= revision : (read?.status ?? 503) === 503;
    if (!shown) this.wrong.push({ asked: { position, revision }, read });
  }

  #node(n: number): ServerProcess {
    const { nodes } = this.cluster;
    return (nodes[n % nodes.length] as ClusterNode).process;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answer as JSON
  #learn({ id, event, possible }: any): void {
    const { type, effectiveAt } = event;
    const { since, recorded } = this.#known.get(id) ?? { since: null, recorded: [] };
    const dated = this.#workflow.facts.get(type)?.free !== true && (since === null || effectiveAt > since);
    const listed = possible.map((each: { type: string }) => each.type);
    this.#known.set(id, { listed, since: dated ? effectiveAt : since, recorded: [...recorded.slice(-20), event] });
  }
}
