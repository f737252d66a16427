import {
  type FindWorkflow,
  isBesideTheMachine,
  type RecordedFact,
  Replay,
  type Situation,
  WorkflowUnknown,
} from '@jalon/flow';
import {
  dataHash,
  type Envelope,
  envelopeHash,
  FORMAT,
  type HashedState,
  hashOfContextSalt,
  saltedDigests,
  stateHash,
} from '@jalon/journal';

/** A fact as a verifier holds it. */
export type HeldFact = {
  envelope: Envelope;
  hash: string;
  /** Absent once it was destroyed. */
  payload?: { data: Record<string, unknown>; salt: string };
  /** Of an opening: the salt of what withheld facts will write, for who may know it. */
  contextSalt?: string;
  /** For who may not: the salted digests of what withheld facts write, where this fact changed them. */
  digests?: Record<string, string>;
  /** It lies, or lay, in the directory: the machine never keeps anything of it. */
  erasable: boolean;
  /** Why what lies beside the envelope is no payload of it, when that is known already. */
  fault?: string;
};

/** What of a fact is at fault: what can be computed again by its name, else the envelope as a whole. */
export type Field = 'data' | 'from' | 'to' | 'stateHash' | 'previousHash' | 'names' | 'enveloppe';

/** Which of the checks of a history found it. */
type HistoryCheckName = 'chaine' | 'contenus' | 'rejeu';

/** What is wrong with a fact, in a French sentence. */
export type Fault = { check: HistoryCheckName; revision: number; type: string; field: Field; says: string };

/** Why a replay goes no further: at which revision, and whether that is a fault or this build cannot tell. */
export type ReplayStop = { revision: number; because: 'withheld' | 'unknown' | 'fault'; says: string };

/** What replay makes of a fact, to be compared with what its envelope says. */
type Replayed = Pick<Envelope, 'from' | 'to' | 'stateHash' | 'crosses'>;

/** Members of an envelope that replay gives again, with the field that they are reported as. */
const REPLAYED = [
  ['from', 'from', "l'état de départ"],
  ['to', 'to', "l'état d'arrivée"],
  ['stateHash', 'stateHash', "l'empreinte de l'état"],
  ['crosses', 'enveloppe', 'le jalon franchi'],
] as const satisfies readonly (readonly [keyof Replayed, Field, string])[];

/**
 * Checks the facts of one stream, one after the other: their place, the chain, the hash of envelope and payload, dates
 * that never go back, and that replay under the pinned version reaches what each envelope says.
 */
export class HistoryCheck {
  #previous: { revision: number; hash: string; recordedAt: string } | null = null;
  #situation: Situation | undefined;
  #stop: ReplayStop | undefined;
  #digests: Readonly<Record<string, string>> | undefined;
  readonly #replay: Replay;
  readonly #followsWorkflow: boolean;

  /** @param commitments to the names that are known, when an envelope's own may have been changed */
  constructor(
    readonly stream: string,
    find: FindWorkflow,
    private readonly commitments: readonly string[] = [],
  ) {
    this.#replay = new Replay(find);
    this.#followsWorkflow = stream.startsWith('dossier-');
  }

  /** Where replay stopped before the end, if it did. */
  get stop(): ReplayStop | undefined {
    return this.#stop;
  }

  /** Where the facts so far lead, as far as they were replayed. */
  get situation(): Situation | undefined {
    return this.#situation;
  }

  /** A fact of which only the hash is known: replay goes no further. */
  withheld(revision: number, hash: string): void {
    this.#stop ??= {
      revision,
      because: 'withheld',
      says: `le rejeu s'arrête avant le fait ${revision}, qui n'est pas communiqué`,
    };
    this.#previous = { revision, hash, recordedAt: this.#previous?.recordedAt ?? '' };
  }

  /** What is wrong with the next fact: nothing, for one that holds. */
  next(fact: HeldFact): Fault[] {
    const { envelope, hash, payload, fault: unvouched } = fact;
    const faults: Fault[] = [];
    // Where it stands: what its envelope says of that may be what was changed.
    const revision = this.#previous ? this.#previous.revision + 1 : 0;
    const fault = (check: HistoryCheckName, field: Field, says: string) => {
      faults.push({ check, revision, type: envelope.type, field, says });
    };
    const previousHash = this.#previous?.hash ?? null;
    const intact = envelopeHash(envelope) === hash;
    const computed = payload && dataHash(payload.salt, payload.data);

    if (envelope.format !== FORMAT) fault('chaine', 'enveloppe', `format ${envelope.format} inconnu`);
    else if (envelope.stream !== this.stream || envelope.revision !== revision)
      fault('chaine', 'enveloppe', `révision ${envelope.revision} de ${envelope.stream} à la place de la ${revision}`);
    else if (intact && envelope.previousHash !== previousHash)
      fault('chaine', 'previousHash', "l'empreinte du fait précédent n'est pas celle qui précède");
    else if (intact && envelope.recordedAt < (this.#previous?.recordedAt ?? ''))
      fault('chaine', 'enveloppe', 'enregistré avant le fait précédent');
    if (fact.digests) this.#digests = { ...this.#digests, ...fact.digests };
    if (unvouched !== undefined) fault('contenus', 'data', unvouched);
    else if (intact && !isContextSalt(fact, this.#digests))
      fault('contenus', 'data', "le sel du contexte n'est pas celui qui a été enregistré");
    else if (intact && computed !== undefined && computed !== envelope.dataHash)
      fault('contenus', 'data', "le contenu n'a pas l'empreinte enregistrée");

    const replayed = this.#replayed(fact, faults.length === 0 && intact ? fault : undefined);
    if (!intact) {
      const field = this.#culprit(fact, previousHash, replayed);
      const what = field === 'enveloppe' ? "l'enveloppe n'a pas l'empreinte enregistrée" : `${field} a été changé`;
      faults.unshift({ check: 'chaine', revision, type: envelope.type, field, says: what });
    }
    if (faults.length > 0 || !intact)
      this.#stop ??= { revision, because: 'fault', says: `le rejeu s'arrête au fait ${revision}, qui est en cause` };
    this.#previous = { revision, hash, recordedAt: envelope.recordedAt };
    return faults;
  }

  /** What replay makes of a fact; `fault` is told where that differs from what a sound envelope says. */
  #replayed(fact: HeldFact, fault?: (check: 'rejeu', field: Field, says: string) => void): Replayed | undefined {
    if (this.#stop || !this.#followsWorkflow) return undefined;
    const { envelope } = fact;
    const before = this.#situation;
    let situation: Situation;
    try {
      situation = this.#replay.next(recordedFact(fact));
    } catch (broken) {
      if (broken instanceof WorkflowUnknown) {
        const { name, version, hash } = broken.wanted;
        const says = `cette version du logiciel n'a pas la procédure ${name} ${version} (${hash.slice(0, 12)}…)`;
        this.#stop = { revision: this.#previous ? this.#previous.revision + 1 : 0, because: 'unknown', says };
      } else fault?.('rejeu', 'enveloppe', `la procédure n'accepte pas ce fait ici (${(broken as Error).message})`);
      return undefined;
    }
    this.#situation = situation;
    const jalon = isBesideTheMachine(envelope.type) ? undefined : newlyCrossed(before, situation);
    const replayed: Replayed = {
      from: before?.state.state ?? null,
      to: situation.state.state,
      stateHash: stateHash(hashedState(situation, this.#digests)),
      ...(jalon === undefined ? {} : { crosses: jalon }),
    };
    for (const [member, field, label] of REPLAYED)
      if (replayed[member] !== envelope[member]) {
        fault?.(
          'rejeu',
          field,
          `le rejeu donne ${label} ${shown(replayed[member])}, et non ${shown(envelope[member])}`,
        );
        break;
      }
    return replayed;
  }

  /** The member that, put back as it is computed again, gives the envelope its recorded hash. */
  #culprit({ envelope, hash }: HeldFact, previousHash: string | null, replayed?: Replayed): Field {
    const isIt = (change: Partial<Envelope>) => envelopeHash({ ...envelope, ...change }) === hash;
    if (isIt({ previousHash })) return 'previousHash';
    for (const [member, field] of REPLAYED)
      if (replayed?.[member] !== undefined && isIt({ [member]: replayed[member] })) return field;
    const { actor, onBehalfOf } = envelope;
    for (const name of this.commitments) {
      if (actor.name !== undefined && isIt({ actor: { ...actor, name } })) return 'names';
      if (onBehalfOf?.name !== undefined && isIt({ onBehalfOf: { ...onBehalfOf, name } })) return 'names';
    }
    return 'enveloppe';
  }
}

/** A fact as replay takes it: of what can be erased the machine gets nothing. */
function recordedFact({ envelope, payload, erasable, contextSalt }: HeldFact): RecordedFact {
  const { id, type, stream, effectiveAt, recordedAt, lookups = {}, target } = envelope;
  const { name: _, ...actor } = envelope.actor;
  return {
    id,
    type,
    dossier: stream.slice('dossier-'.length),
    data: erasable ? {} : (payload?.data ?? {}),
    effectiveAt,
    recordedAt,
    actor,
    lookups,
    workflow: envelope.workflow ?? { name: 'aucune', version: 0, hash: '-' },
    ...(target === undefined ? {} : { target }),
    ...(erasable || !payload ? {} : { salt: payload.salt }),
    ...(contextSalt === undefined ? {} : { contextSalt }),
  };
}

/** Whether the salt of the context is the recorded one, or digests stand in its place. */
function isContextSalt({ envelope, contextSalt }: HeldFact, digests: object | undefined): boolean {
  const { contextSaltHash } = envelope;
  if (contextSalt !== undefined) return digests === undefined && hashOfContextSalt(contextSalt) === contextSaltHash;
  return contextSaltHash === undefined || digests !== undefined;
}

/** What the state hash of a situation covers; digests stand for what a salt that is not known hides. */
function hashedState(situation: Situation, digests?: Readonly<Record<string, string>>): HashedState {
  const { snapshot, salts, contextSalt, workflow } = situation;
  const { keyed, withheldMembers } = workflow;
  const { value, context } = snapshot;
  return { value, context: context as object, keyed, salts, withheldMembers, contextSalt, digests };
}

/**
 * For each fact of a history from the first, up to one that is withheld: the salted digests of what withheld facts write,
 * where that fact changed them. Who has them reaches every state hash without the opening's salt.
 * @throws WorkflowUnknown, ReplayBroken
 */
export function digestsOf(facts: Iterable<HeldFact>, find: FindWorkflow): Record<string, string>[] {
  const replay = new Replay(find);
  let known: Readonly<Record<string, string>> = {};
  const changes: Record<string, string>[] = [];
  for (const fact of facts) {
    const now = saltedDigests(hashedState(replay.next(recordedFact(fact))));
    const changed = Object.entries(now).filter(([member, digest]) => known[member] !== digest);
    changes.push(Object.fromEntries(changed));
    known = now;
  }
  return changes;
}

function newlyCrossed(before: Situation | undefined, { crossed }: Situation): string | undefined {
  return crossed.length > (before?.crossed.length ?? 0) ? crossed.at(-1)?.jalon : undefined;
}

function shown(value: string | null | undefined): string {
  if (value === null || value === undefined) return 'aucun';
  return /^[0-9a-f]{64}$/.test(value) ? `${value.slice(0, 12)}…` : `« ${value} »`;
}
