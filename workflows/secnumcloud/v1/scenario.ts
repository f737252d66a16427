import {
  type BrokenRule,
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
import { CATEGORIES } from './facts.ts';
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
    const { decision, situation } = this.when(proposal);
    const { state } = situation.state;
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
    const happening = this.happening(proposal);
    return new Outcome(this.situation, happening, decide(this.situation, happening, TODAY));
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
    readonly situation: Situation,
    readonly happening: PastFact,
    readonly decision: Decision,
  ) {}

  /** « Alors » : it is accepted and leads to this state. */
  leadsTo(state: string): Given {
    const from = this.situation.state.state;
    if (!this.decision.accepted) throw new Error(`Refused in ${from}: ${JSON.stringify(this.decision.reasons)}`);
    if (this.decision.to !== state) throw new Error(`It leads to ${this.decision.to}, not to ${state}.`);
    return new Given(this.decision.next);
  }

  /** « Alors » : it is refused by these rules, by no other, each in a sentence that says what is wrong. */
  refused(...rules: string[]): Decision {
    if (this.decision.accepted) throw new Error(`Accepted: it leads to ${this.decision.to}.`);
    const broken = this.decision.reasons.map(({ rule }) => rule);
    if (broken.toSorted().join() !== rules.toSorted().join())
      throw new Error(`Refused by ${broken.join(', ')}, not by ${rules.join(', ')}.`);
    assertSayWhatIsWrong(this.situation, this.happening, this.decision.reasons);
    return this.decision;
  }

  /** « Alors » : it is not expected in this state. */
  unexpected(): Decision {
    return this.refused('fait-non-attendu');
  }
}

/** @throws when a reason claims that its rule holds, or names what neither the dossier nor the proposal knows. */
export function assertSayWhatIsWrong(situation: Situation, proposal: PastFact, reasons: readonly BrokenRule[]): void {
  const known = JSON.stringify([contextOf(situation), proposal.data, proposal.actor, proposal.dossier, CATEGORIES]);
  for (const { rule, message, items = [] } of reasons) {
    const { asks, holds } = secnumcloud.reasons[rule] ?? {};
    if (message === holds || message === asks || !/^[A-ZÀÉ0-9«].*\.$/.test(message))
      throw new Error(`${rule} does not say what is wrong: ${message}`);
    if (/undefined|null|NaN|une date inconnue/.test(message)) throw new Error(`${rule} says nothing: ${message}`);
    for (const { kind, id, label } of items) {
      if (!known.includes(JSON.stringify(id))) throw new Error(`${rule} names the ${kind} ${id}, which nobody knows.`);
      if (!label.startsWith(id) && kind !== 'piece') throw new Error(`${rule} calls the ${kind} ${id} « ${label} ».`);
    }
  }
}
