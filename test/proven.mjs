/**
 * What explorations prove of a version: their numbers, measured by a run, and the section of its README that says what
 * is proven, over which abstraction, within which bounds.
 */

/** Explores in each of these ways; name -> numbers. Throws when something does not hold: nothing is written then. */
export function measure(workflow, explorations, { prove }) {
  const { explored, faults } = prove(workflow, explorations);
  const said = faults.map(({ invariant, fault, path }) => [`${invariant}: ${fault}`, ...path].join('\n  '));
  if (faults.length > 0) throw new Error(`What is said to be proven does not hold.\n${said.join('\n')}`);
  return Object.fromEntries(
    explored.map(({ exploration, states, transitions, refusals, compared }) => [
      exploration.name,
      { states, transitions, refusals, compared },
    ]),
  );
}

const code = (text) => `\`${text}\``;
const many = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ' ');

/** The section of a version's README. `table` lays a table out; `numbers` are those of `measure`, short and long. */
export function provenSection({ short, long }, numbers, { STRUCTURE }, table) {
  const invariants = new Map();
  for (const exploration of short)
    for (const invariant of exploration.invariants) {
      const known = invariants.get(invariant) ?? [];
      invariants.set(invariant, [...known, code(exploration.name)]);
    }
  const exact = short.filter(({ enforces }) => enforces === undefined).map(({ name }) => code(name));
  const rows = [
    ...Object.values(STRUCTURE).map(({ name, sentence }) => [code(name), sentence, exact.join(', ')]),
    ...[...invariants].map(([{ name, sentence }, where]) => [code(name), sentence, where.join(', ')]),
  ];
  const explorations = short.map(({ name, label, kept, bounds, enforces }, i) => {
    const rules = enforces ? enforces.map(code).join(', ') || 'aucune' : 'toutes';
    const far = long[i].bounds;
    return [
      `### ${label} (${code(name)})`,
      '',
      `- Retenu d'un dossier : ${kept}.`,
      `- Règles appliquées : ${rules}.`,
      ...(far.join() === bounds.join()
        ? [`- Bornes : ${bounds.join(' ; ')}.`]
        : [`- Bornes de chaque contrôle : ${bounds.join(' ; ')}.`, `- De la longue campagne : ${far.join(' ; ')}.`]),
    ].join('\n');
  });
  const campaign = (name, kind, { states, transitions, refusals, compared }) => [
    ...[code(name), kind],
    ...[states, transitions, refusals, compared].map(many),
  ];
  const counts = short.flatMap(({ name }) => [
    campaign(name, 'chaque contrôle', numbers.short[name]),
    campaign(name, 'longue campagne', numbers.long[name]),
  ]);
  return `## Ce qui est prouvé

Chaque chemin que la procédure ouvre est suivi, fait par fait, par la machine elle-même, dans les bornes dites plus bas
([comment](../../../libs/flow/EXPLORATION.md)). Deux dossiers dont l'état et ce qui en est retenu sont les mêmes comptent pour
un seul état ; d'autres dossiers de chaque état sont comparés au premier, fait par fait. Une règle qui n'est pas appliquée est
tenue pour vraie : chaque chemin réel est alors parmi ceux qui sont suivis. Pour chaque ligne de ce tableau, une procédure
cassée exprès est prise sur le fait.

${table(['invariant', 'ce qui tient sur chaque chemin', 'exploration'], rows)}

${explorations.join('\n\n')}

### Étendue

${table(['exploration', 'campagne', 'états', 'faits acceptés', 'faits refusés', 'dossiers comparés'], counts)}
`;
}
