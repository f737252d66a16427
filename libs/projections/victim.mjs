// @ts-check
import { setImmediate } from 'node:timers/promises';
import { openSqliteJournal } from '@jalon/journal';
import { openPostgresReadModels, openReadModels, PROJECTIONS, Projector } from './index.ts';
import { deposit, TOYS, ToyDossier } from './toy.ts';

/**
 * A process that records and projects, and rebuilds over and over when asked to, until it is killed. It says "ready" once
 * it is under way, then a dot per round.
 */
const [folder, rebuilding] = process.argv.slice(2);
const { journal } = await openSqliteJournal(String(folder));
const { DATABASE_URL } = process.env;
const store = DATABASE_URL ? openPostgresReadModels(DATABASE_URL, fail) : openReadModels(String(folder), fail);
const projector = new Projector({
  store,
  journal,
  catalogue: TOYS,
  projections: PROJECTIONS,
  onParked: fail,
  onError: fail,
});
await projector.start();

process.stdout.write('ready\n');
if (rebuilding !== undefined) void rebuildForever();
for (;;) {
  const dossiers = Array.from({ length: 20 }, () => new ToyDossier(journal));
  for (const dossier of dossiers) await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'));
  for (let i = 0; i < 5; i += 1)
    await Promise.all(
      dossiers.map((dossier) => dossier.record('dossier.cible-annoncee', { jalon: 'J0', periode: '2026' })),
    );
  process.stdout.write('.');
}

/** @returns {Promise<never>} */
async function rebuildForever() {
  for (;;) {
    await projector.rebuild('all', () => undefined);
    await setImmediate();
  }
}

/** @param {unknown} what @returns {never} */
function fail(what) {
  throw what instanceof Error ? what : new Error(String(what));
}
