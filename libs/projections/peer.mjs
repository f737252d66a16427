// @ts-check
import { setTimeout as pause } from 'node:timers/promises';
import { readSqliteJournal } from '@jalon/journal';
import { openPostgresReadModels, PROJECTIONS, SharedReadModels } from './index.ts';
import { TOYS } from './toy.ts';

/**
 * A process that projects when it is its turn, from a journal that another process writes, until it is killed. It says
 * "projects" and "follows" as it begins to.
 */
const [folder, url] = process.argv.slice(2);
const { journal } = await readSqliteJournal(String(folder));

/** @type {import('@jalon/journal').Journal['subscribe']} */
async function* subscribe(after, filter, signal) {
  for (let last = after; !signal.aborted; await pause(10)) {
    for await (const page of journal.readAll(last, filter)) {
      last = page.at(-1)?.position ?? last;
      yield page;
    }
  }
}

const shared = new SharedReadModels({
  store: openPostgresReadModels(String(url)),
  journal: {
    read: journal.read.bind(journal),
    readAll: journal.readAll.bind(journal),
    tip: () => journal.tip(),
    subscribe,
  },
  catalogue: TOYS,
  projections: PROJECTIONS,
  projecting: true,
  onParked: say,
  onError: say,
});
shared.start();
for (let said = ''; ; await pause(5)) {
  const now = shared.isProjecting ? 'projects' : 'follows';
  if (now !== said) process.stdout.write(`${now}\n`);
  said = now;
}

/** @param {unknown} what */
function say(what) {
  process.stdout.write(
    `${what instanceof Error ? what.stack : JSON.stringify(what, (_, v) => (typeof v === 'bigint' ? String(v) : v))}\n`,
  );
}
