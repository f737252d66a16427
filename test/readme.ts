/**
 * What a README promises, as it can be run: a shell block after `<!-- runs -->`, and what it must show in the block after
 * `<!-- shows -->`, line by line in order, or as JSON when it is a `json` block. `…` stands for anything.
 */
export type Promised = { title: string; script: string; shows: { language: string; text: string }[] };

const BLOCK = /^<!-- (runs|shows) -->\n+```(\w*)\n([\s\S]*?)^```$/gm;
const MARK = /<!-- (runs|shows) -->/g;

/** @throws Error for a mark that no block follows, or `shows` before any `runs`: a promise must not go unread. */
export function promisesOf(markdown: string): Promised[] {
  const promises: Promised[] = [];
  let read = 0;
  for (const [, mark, language = '', text = ''] of markdown.matchAll(BLOCK)) {
    read += 1;
    const last = promises.at(-1);
    if (mark === 'runs') {
      if (!['bash', 'sh', 'shell'].includes(language))
        throw new Error(`« ${language} » is not run by a shell: ${text}`);
      promises.push({ title: text.trim().split('\n', 1)[0] as string, script: text, shows: [] });
    } else if (last) last.shows.push({ language, text });
    else throw new Error(`Nothing ran that would show: ${text}`);
  }
  const marks = [...markdown.matchAll(MARK)].length;
  if (marks !== read) throw new Error(`${marks - read} marks are not followed by a block.`);
  return promises;
}

const END = '--- end of block ---';

/** One shell session of all blocks, in which each ends with a line that can be found again. */
export function sessionOf(promises: readonly Promised[]): string {
  return ['set -euo pipefail', ...promises.flatMap(({ script }) => [script, `printf '\\n%s\\n' '${END}'`])].join('\n');
}

/** What each block printed, as far as the session went. */
export function outputsOf(printed: string): string[] {
  return printed.split(`\n${END}\n`).slice(0, -1);
}

/** The status that a line of a script announces in a comment (`# 409: why`): the only problems it may print, in order. */
export function announced(script: string): number[] {
  return [...script.matchAll(/# ([45]\d\d)\b/g)].map(([, status]) => Number(status));
}

/** The statuses of the problem documents in an output. */
export function problemsIn(output: string): number[] {
  return output
    .split('\n')
    .filter((line) => line.includes('"type":"/problems/'))
    .map((line) => Number(/"status":(\d{3})/.exec(line)?.[1]));
}

/** The first promised line that is not in the output, in order; null when all are. */
export function missingLine(output: string, promised: string): string | null {
  const lines = output.split('\n').map((line) => line.trim());
  let at = 0;
  for (const wanted of promised.split('\n').map((line) => line.trim())) {
    if (wanted === '' || wanted === '…') continue;
    const parts = wanted.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`^${parts.join('.*')}$`);
    const found = lines.findIndex((line, i) => i >= at && pattern.test(line));
    if (found < 0) return wanted;
    at = found + 1;
  }
  return null;
}

/** Whether a value is the promised one: members may be left out of objects, and a list may end with "…". */
export function isPromised(value: unknown, promised: unknown): boolean {
  if (typeof promised === 'string' && promised.includes('…')) {
    return typeof value !== 'string' ? promised === '…' : missingLine(value, promised) === null;
  }
  if (typeof promised !== 'object' || promised === null) return value === promised;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(promised)) {
    if (!Array.isArray(value)) return false;
    const open = promised.at(-1) === '…';
    const items = open ? promised.slice(0, -1) : promised;
    if (open ? value.length < items.length : value.length !== items.length) return false;
    return items.every((item, i) => isPromised(value[i], item));
  }
  return Object.entries(promised).every(([key, item]) => isPromised((value as Record<string, unknown>)[key], item));
}
