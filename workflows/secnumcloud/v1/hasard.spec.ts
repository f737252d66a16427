import {
  beginning,
  contextOf,
  decide,
  type Fact,
  fold,
  isBesideTheMachine,
  type PastFact,
  validatePayload,
} from '@jalon/flow';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { transition } from 'xstate';
import { fact, OTHER, walkToJ3 } from '../../../test/walk.ts';
import { assertSayWhatIsWrong, DOSSIER, Given, type Proposal, TODAY } from './scenario.ts';
import { secnumcloud } from './workflow.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const LONG = process.env.JALON_TEST === 'long';
const TYPES = [...secnumcloud.facts.keys()].filter((type) => !isBesideTheMachine(type));
const IDS = ['A1', 'A2', 'C1', 'C2', '__proto__', 'constructor'];

/** A choice: which fact, ids that may or may not be known, how many days later, a turn for what is left to chance. */
type Choice = { type: number; id: number; id2: number; days: number; turn: boolean };

const choice: fc.Arbitrary<Choice> = fc.record({
  type: fc.nat(),
  id: fc.nat(IDS.length - 1),
  id2: fc.nat(IDS.length - 1),
  days: fc.nat(20),
  turn: fc.boolean(),
});

function proposal({ situation }: Given, { type: number, id, id2, days, turn }: Choice): Proposal {
  // Three times out of four a fact that the state accepts: a walk that is refused everywhere proves little.
  const expected = [...situation.state.accepts.keys()];
  const type = (number % 4 === 0 ? TYPES[number % TYPES.length] : expected[number % expected.length]) as string;
  const changes: Record<string, Record<string, unknown>> = {
    'candidature.complements-demandes': { avantLe: '2034-01-01' },
    'j2.audit-planifie': { audit: IDS[id], phase: turn ? 'documentaire' : 'paimpont', du: '2024-01-01' },
    'j2.audit-ouvert': { audit: IDS[id] },
    'j2.audit-clos': { audit: IDS[id] },
    'j2.constat-releve': { constat: IDS[id], audit: IDS[id2], gravite: turn ? 'mineure' : 'majeure' },
    'j2.plan-d-action-remis': { constat: IDS[id] },
    'j2.ecart-leve': { constat: IDS[id] },
    'j3.enquete-conclue': { resultat: turn ? 'favorable' : 'defavorable' },
  };
  const since = situation.since ?? '2024-01-01';
  const effectiveAt = new Date(Date.parse(since) + days * 86_400_000).toISOString().slice(0, 10);
  const end = new Date(Date.parse(effectiveAt) + 400 * 86_400_000).toISOString().slice(0, 10);
  if (type === 'j3.qualification-accordee')
    changes[type] = { decideeLe: effectiveAt, valideDu: since, valideJusquAu: turn ? end : '2028-01-01' };
  const lookups = { [OTHER]: turn ? { revision: 0, renouvelleDe: DOSSIER } : null };
  return { ...fact(type, changes[type]), effectiveAt, lookups, sub: turn ? 'une-personne' : 'une-autre' };
}

describe(`au hasard (graine ${seed}, à reprendre par JALON_SEED)`, () => {
  test('rejouer ce qui a été accepté mène à la même situation, et aucun refus ne dit le contraire de ce qui est', () => {
    let accepted = 0;
    const reached = new Set<string>();
    const broken = new Set<string>();
    fc.assert(
      fc.property(fc.nat(walkToJ3().length), fc.array(choice, { minLength: 20, maxLength: 120 }), (start, choices) => {
        let dossier = new Given(beginning(secnumcloud));
        const history: PastFact[] = [];
        const advance = (step: Proposal) => {
          const happening = dossier.happening(step);
          const { type, data } = happening;
          expect(validatePayload((secnumcloud.facts.get(type) as Fact).payload, data)).toEqual([]);
          const before = dossier.situation;
          const decision = decide(before, happening, TODAY);
          const [native] = transition(secnumcloud.machine, before.snapshot, happening);
          // What XState says by its own door is what was decided, but for the dates, which the machine does not judge.
          const dated = !decision.accepted && decision.reasons.every(({ rule }) => rule.startsWith('date-'));
          if (!dated) expect(native === before.snapshot).toBe(!decision.accepted);
          if (!decision.accepted) {
            expect(decision.reasons.length).toBeGreaterThan(0);
            assertSayWhatIsWrong(before, happening, decision.reasons);
            for (const { rule } of decision.reasons) broken.add(rule);
            return;
          }
          expect(native.value).toEqual(decision.next.snapshot.value);
          expect(native.context).toEqual(contextOf(decision.next));
          expect(contextOf(decision.next).faits).toBe(history.length + 1);
          history.push(happening);
          reached.add(decision.to);
          dossier = new Given(decision.next);
        };
        for (const step of walkToJ3().slice(0, start)) advance(step);
        for (const each of choices) advance(proposal(dossier, each));
        accepted += history.length;

        const replayed = JSON.parse(JSON.stringify(history)).reduce(fold, beginning(secnumcloud));
        expect(replayed.state).toBe(dossier.situation.state);
        expect(JSON.stringify(contextOf(replayed))).toBe(JSON.stringify(dossier.context));
        expect({ ...replayed, snapshot: null }).toEqual({ ...dossier.situation, snapshot: null });
      }),
      { seed, numRuns: LONG ? 2000 : 50 },
    );
    expect(accepted).toBeGreaterThan(500);
    // Walks start all along the way to J3: whatever the seed, they do not stay where they began.
    expect(reached.size).toBeGreaterThan(LONG ? 15 : 8);
    expect(broken.size).toBeGreaterThan(LONG ? 25 : 12);
  });
});
