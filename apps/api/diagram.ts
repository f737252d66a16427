import { type PublishedWorkflow, waysOf } from '@jalon/flow';
import type { ElkExtendedEdge, ElkNode } from 'elkjs';

const LINE = 15;
const CHARACTER = 6.6;
const drawn = new Map<string, Promise<string>>();

/** The workflow as a picture (SVG): its states, and the facts that lead from one to another. Drawn once per version. */
export function diagram(workflow: PublishedWorkflow): Promise<string> {
  let picture = drawn.get(workflow.hash);
  if (!picture) {
    picture = draw(workflow);
    drawn.set(workflow.hash, picture);
  }
  return picture;
}

async function draw(workflow: PublishedWorkflow): Promise<string> {
  const states = [...workflow.states.values()].filter(({ state }) => state);
  const labels = new Map(states.map(({ state, label }) => [state, label]));
  const arrows = new Map<string, { from: string; to: string; facts: Set<string> }>();
  for (const { from, to, fact } of waysOf(workflow)) {
    if (from === null || from === to) continue;
    const key = `${from} ${to}`;
    const arrow = arrows.get(key) ?? { from, to, facts: new Set() };
    arrow.facts.add(fact);
    arrows.set(key, arrow);
  }
  // Withdrawal is possible from nearly everywhere: its arrows would hide all others.
  const many = new Set([...workflow.facts.values()].filter(({ abandons }) => abandons).map(({ type }) => type));
  const edges = [...arrows.values()].filter(({ facts }) => [...facts].some((fact) => !many.has(fact)));

  // Loaded when a picture is first asked for: the layout engine is larger than the rest of the server's code.
  const elk = await import('elkjs/lib/elk.bundled.js');
  const Elk = elk.default as unknown as typeof import('elkjs').default;
  const layout = await new Elk().layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'DOWN',
      'elk.edgeRouting': 'ORTHOGONAL',
      // Facts that lead onwards go down, those that lead back go up, as the states are written.
      'elk.layered.cycleBreaking.strategy': 'MODEL_ORDER',
      'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
      'elk.layered.spacing.nodeNodeBetweenLayers': '40',
      'elk.spacing.edgeLabel': '4',
    },
    children: states.map(({ state }) => ({ id: state, width: width([labels.get(state) ?? '', state]), height: 44 })),
    edges: edges.map(({ from, to, facts }) => ({
      id: `${from} ${to}`,
      sources: [from],
      targets: [to],
      labels: [{ text: [...facts].join('\n'), width: width([...facts]), height: facts.size * LINE }],
    })),
  });
  return svg(workflow, layout, labels);
}

function svg(workflow: PublishedWorkflow, layout: ElkNode, labels: ReadonlyMap<string, string>): string {
  const size = { width: Math.ceil(layout.width ?? 0), height: Math.ceil(layout.height ?? 0) };
  const title = `${escaped(workflow.label)} : états et faits`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${title}" font-family="Marianne, Arial, sans-serif" font-size="11">`,
    `<title>${title}</title>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#3a3a3a"/></marker></defs>',
    ...(layout.edges ?? []).map(arrow),
    ...(layout.children ?? []).map((node) => box(node, labels.get(node.id) ?? '', workflow)),
    '</svg>',
  ].join('\n');
}

function box({ id, x = 0, y = 0, width = 0, height = 0 }: ElkNode, label: string, workflow: PublishedWorkflow): string {
  const final = workflow.states.get(id)?.final ?? false;
  const middle = x + width / 2;
  return `<g id="${escaped(id)}"><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" fill="${final ? '#eee' : '#e3e3fd'}" stroke="#000091" stroke-width="${final ? 2 : 1}"/><text x="${middle}" y="${y + 19}" text-anchor="middle" font-weight="bold" fill="#161616">${escaped(label)}</text><text x="${middle}" y="${y + 34}" text-anchor="middle" fill="#3a3a3a">${escaped(id)}</text></g>`;
}

function arrow({ id, sections = [], labels = [] }: ElkExtendedEdge): string {
  const [from = '', to = ''] = id.split(' ');
  const lines = sections.map(({ startPoint, bendPoints = [], endPoint }) => {
    const points = [startPoint, ...bendPoints, endPoint].map(({ x, y }) => `${x},${y}`).join(' ');
    return `<polyline points="${points}" fill="none" stroke="#3a3a3a" marker-end="url(#tip)"/>`;
  });
  const texts = labels.flatMap(({ text = '', x = 0, y = 0 }) =>
    text
      .split('\n')
      .map((line, index) => `<text x="${x}" y="${y + LINE * (index + 1) - 4}" fill="#161616">${escaped(line)}</text>`),
  );
  return `<g data-from="${escaped(from)}" data-to="${escaped(to)}">${[...lines, ...texts].join('')}</g>`;
}

function width(lines: readonly string[]): number {
  return Math.ceil(Math.max(...lines.map(({ length }) => length)) * CHARACTER) + 12;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
