import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Caller, type Conditions, type Dossier, Dossiers, Refused } from '@jalon/engine';
import type { StoredEvent } from '@jalon/journal';
import { openProduct, type Product } from '../apps/api/product.ts';
import { catalogue } from '../workflows/index.ts';
import { type Choice, orgOf, type Proposed, proposalOf } from './proposals.ts';
import { UNRECORDED, unsealed } from './unsealed.ts';
import { fact, walkToJ3 } from './walk.ts';

/** What the engine may answer to a proposal that it does not accept. */
const REFUSALS = ['DossierNotFound', 'Forbidden', 'InvalidProposal', 'KeyReused', 'Refused', 'RevisionMismatch'];

const AUDITEUR: Caller = { iss: 'urn:test', sub: 'auditeur', roles: ['auditeur'] };

/** A dossier that was led at random: what was accepted, and how it was answered last. */
export type Wandered = {
  id: string;
  /** The dossier that would take over from it. */
  renewal: string;
  accepted: StoredEvent[];
  refused: Record<string, number>;
};

/** The whole product on a folder of its own, with a clock that goes forwards, mostly. */
export class Wandering {
  now = new Date(0);
  readonly alarms: string[] = [];

  private constructor(
    readonly folder: string,
    public product: Product,
  ) {}

  static async open(): Promise<Wandering> {
    const folder = mkdtempSync(join(tmpdir(), 'jalon-wandering-'));
    const wandering = new Wandering(folder, undefined as never);
    wandering.product = await openProduct(
      folder,
      () => wandering.now,
      (what, details) => wandering.alarms.push(`${what} ${JSON.stringify(details)}`),
    );
    return wandering;
  }

  async close(): Promise<void> {
    await this.product.close();
    rmSync(this.folder, { recursive: true });
  }

  /** Leads a dossier through the first `start` facts of the usual way, then wherever these choices go. */
  async wander(start: number, choices: readonly Choice[]): Promise<Wandered> {
    this.now = new Date('2025-08-01T08:00:00Z');
    const { engine } = this.product;
    const [opening, ...usual] = walkToJ3().slice(0, start + 1);
    const { dossier, event } = await this.#open(opening!.data);
    const renewal = await this.#open({ ...fact('candidature.deposee').data, renouvelleDe: dossier.id });
    const wandered: Wandered = { id: dossier.id, renewal: renewal.dossier.id, accepted: [event], refused: {} };
    for (const { role, ...body } of usual) await this.#propose(wandered, { role, org: orgOf(role), body }, {});
    // Beside the engine's own: nothing that decides is taken from it.
    const dossiers = new Dossiers(this.product.journal, catalogue, false, 1000);
    for (const chance of choices) {
      this.now = new Date(this.now.getTime() + chance.clock * 6 * 3_600_000);
      const { situation, workflow } = (await dossiers.load(dossier.id)) as Dossier;
      const listed = (await unsealed(engine).show(AUDITEUR, dossier.id)).possible.map(({ type }) => type);
      const standing = {
        workflow,
        listed,
        since: situation.since,
        today: engine.today(),
        others: [wandered.renewal],
        recorded: wandered.accepted
          .slice(-8)
          .map(({ envelope, data }) => ({ ...envelope, data, role: envelope.actor.role })),
      };
      const proposed = proposalOf(standing, chance);
      const key = chance.key < 40 ? { idempotencyKey: `k${chance.key % 10}` } : {};
      const ifMatch = chance.sense === 16 ? { ifMatch: situation.revision - (chance.turn ? 1 : 0) } : {};
      await this.#propose(wandered, proposed, { ...key, ...ifMatch });
    }
    return wandered;
  }

  #open(data: Record<string, unknown>) {
    const body = {
      workflow: 'secnumcloud',
      fact: { type: 'candidature.deposee', effectiveAt: '2024-09-02', data },
    };
    return this.product.engine.open(caller('prestataire', orgOf('prestataire')), body, { route: 'open' });
  }

  /** Proposes, twice when there is a key; whatever is not accepted must leave no trace. */
  async #propose(wandered: Wandered, { role, org, body }: Proposed, given: Partial<Conditions>): Promise<void> {
    const { engine, journal } = this.product;
    const conditions = { route: `advance ${wandered.id}`, ...given };
    const before = await journal.tip();
    try {
      const { event, remembered } = await engine.advance(caller(role, org), wandered.id, body, conditions);
      if (remembered !== wandered.accepted.some(({ hash }) => hash === event.hash))
        throw new Error(`${event.envelope.type} is ${remembered ? '' : 'not '}said to be remembered, wrongly`);
      if (!remembered) wandered.accepted.push(event);
      if (conditions.idempotencyKey === undefined) return;
      const again = await engine.advance(caller(role, org), wandered.id, body, conditions);
      if (!again.remembered || again.event.hash !== event.hash) throw new Error('a repeated key was not recognised');
    } catch (fault) {
      const { name } = fault as Error;
      if (fault instanceof Refused) await assertSayWhatIsWrong(fault);
      if (!REFUSALS.includes(name)) throw fault;
      wandered.refused[name] = (wandered.refused[name] ?? 0) + 1;
      if ((await journal.tip()) !== before) throw new Error(`${name} left a trace in the journal`, { cause: fault });
    }
  }
}

/** Rules with the sentences of them that hold: of one that failed none is told. One rule's may be another's failure. */
const HOLDING = new Set(
  catalogue.workflows.flatMap(({ reasons }) =>
    Object.entries(reasons).flatMap(([rule, { holds, asks }]) => [`${rule} ${holds}`, `${rule} ${asks}`]),
  ),
);

async function assertSayWhatIsWrong({ told }: Refused): Promise<void> {
  const { reasons } = await told.open(UNRECORDED);
  for (const { rule, message } of reasons)
    if (HOLDING.has(`${rule} ${message}`)) throw new Error(`${rule} failed and is said to hold: ${message}`);
}

/** Someone of this role, the same person each time; the opinion and the decision are not the same person's. */
function caller(role: string, org: string): Caller {
  return { iss: 'urn:test', sub: `${role} ${org}`, roles: [role], org, name: `Personne ${role}` };
}
