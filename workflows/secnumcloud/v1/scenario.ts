import {
  beginning,
  contextOf,
  type Decision,
  decide,
  type Fact,
  type Lookup,
  type PastFact,
  type Situation,
  validatePayload,
} from '@jalon/flow';
import { secnumcloud } from './workflow.ts';

/** A fact of a scenario; who proposes it and when may be left to the scenario: one person per role, the latest date. */
export type Proposal = {
  type: string;
  role: string;
  data: Record<string, unknown>;
  effectiveAt?: string;
  sub?: string;
  lookups?: Record<string, Lookup>;
};

/** The day on which scenarios are played: late enough for a qualification to expire. */
export const TODAY = '2035-01-01';

/** The dossier of every scenario. */
export const DOSSIER = '99999999-8888-4777-8666-555555555555';

/** « Étant donné » : a dossier to which these facts happened, each of them accepted. */
export function given(...history: Proposal[]): Given {
  return history.reduce((dossier, proposal) => dossier.and(proposal), new Given(beginning(secnumcloud)));
}

export class Given {
  constructor(readonly situation: Situation) {}

  /** « Et » : one more fact, which must be accepted. */
  and(proposal: Proposal): Given {
    const { decision, state } = this.when(proposal);
    if (!decision.accepted)
      throw new Error(`${proposal.type} is refused in ${state}: ${JSON.stringify(decision.reasons)}`);
    return new Given(decision.next);
  }

  /** « Quand » : a fact is proposed; its payload must be valid, its role allowed. */
  when(proposal: Proposal): Outcome {
    const fact = secnumcloud.facts.get(proposal.type) as Fact;
    const errors = validatePayload(fact.payload, proposal.data);
    if (errors.length > 0) throw new Error(`${proposal.type} is not valid: ${JSON.stringify(errors)}`);
    if (!fact.by.includes(proposal.role)) throw new Error(`${proposal.role} may not propose ${proposal.type}.`);
    return new Outcome(this.situation.state.state, decide(this.situation, this.happening(proposal), TODAY));
  }

  get context(): Record<string, unknown> {
    return contextOf(this.situation);
  }

  /** The proposal as the machine receives it. */
  happening({ type, role, data, effectiveAt, sub, lookups }: Proposal): PastFact {
    return {
      type,
      id: `${String(this.situation.revision + 1).padStart(8, '0')}-0000-4000-8000-000000000000`,
      dossier: DOSSIER,
      data,
      effectiveAt: effectiveAt ?? this.situation.since ?? TODAY,
      recordedAt: `${TODAY}T08:00:00.000Z`,
      actor: { iss: 'https://scenario.example', sub: sub ?? role, role },
      lookups: lookups ?? {},
    };
  }
}

class Outcome {
  constructor(
    readonly state: string,
    readonly decision: Decision,
  ) {}

  /** « Alors » : it is accepted and leads to this state. */
  leadsTo(state: string): Given {
    if (!this.decision.accepted) throw new Error(`Refused in ${this.state}: ${JSON.stringify(this.decision.reasons)}`);
    if (this.decision.to !== state) throw new Error(`It leads to ${this.decision.to}, not to ${state}.`);
    return new Given(this.decision.next);
  }

  /** « Alors » : it is refused by these rules, by no other. */
  refused(...rules: string[]): Decision {
    if (this.decision.accepted) throw new Error(`Accepted: it leads to ${this.decision.to}.`);
    const broken = this.decision.reasons.map(({ rule }) => rule);
    if (broken.toSorted().join() !== rules.toSorted().join())
      throw new Error(`Refused by ${broken.join(', ')}, not by ${rules.join(', ')}.`);
    return this.decision;
  }

  /** « Alors » : it is not expected in this state. */
  unexpected(): Decision {
    return this.refused('fait-non-attendu');
  }
}
