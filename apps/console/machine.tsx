import { Loaded } from './loaded.tsx';
import { type Entry, type Timeline, useTimeline, type Workflow } from './reading.ts';
import { useSeen } from './seen.ts';
import { Statechart, type Step } from './statechart.tsx';
import { DataTable } from './table.tsx';
import { inWords } from './words.ts';

/** Machine: the procedure as a picture, the current state lit, the way here numbered; and the same as a list. */
export function Component() {
  const { dossier, workflow } = useSeen();
  return (
    <Loaded query={useTimeline(dossier.id)}>
      {(timeline) => <Drawn timeline={timeline} workflow={workflow} current={dossier.state} />}
    </Loaded>
  );
}

function Drawn({ timeline, workflow, current }: { timeline: Timeline; workflow: Workflow; current: string }) {
  const moves = movesOf(timeline.entries);
  const label = (state: string | null) => workflow.states.find((one) => one.state === state)?.label ?? state ?? '';
  const next = workflow.transitions.filter(({ from, to }) => from === current && to !== from);
  const facts = new Map(workflow.facts.map((fact) => [fact.type as string, fact]));
  return (
    <>
      <h2>Où en est le dossier dans la procédure</h2>
      <p>
        État actuel : <strong>{label(current)}</strong>.
      </p>
      <Statechart workflow={workflow} current={current} steps={moves} />
      <h3 className="fr-mt-4w">Le chemin parcouru</h3>
      <DataTable
        caption="Le chemin parcouru"
        hidden
        columns={[
          { label: 'Étape', number: true, cell: ({ rank }) => rank },
          { label: 'État atteint', names: true, cell: ({ to }) => label(to) },
          { label: 'Fait', cell: ({ entry }) => entry.label },
          { label: 'Date d’effet', cell: ({ entry }) => inWords(entry.effectiveAt) },
        ]}
        rows={moves.map((move, index) => ({ ...move, rank: index + 1 }))}
        keyOf={({ entry }) => entry.id}
      />
      {next.length > 0 && (
        <>
          <h3>Les états qui peuvent suivre</h3>
          <ul>
            {[...new Set(next.map(({ to }) => to))].map((to) => (
              <li key={to}>
                {label(to)}, par :{' '}
                {[...new Set(next.filter((way) => way.to === to).map(({ fact }) => facts.get(fact)?.label))].join(
                  ' ou ',
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

type Move = Step & { entry: Entry };

/** The facts that changed the state, in the order in which they were recorded; those annulled since left no trace in it. */
export function movesOf(entries: readonly Entry[]): Move[] {
  return entries
    .filter(({ from, to, corrected }) => from !== to && corrected?.kind !== 'annulled')
    .toSorted((a, b) => a.revision - b.revision)
    .map((entry) => ({ from: entry.from, to: entry.to, entry }));
}
