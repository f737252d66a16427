import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { FindWorkflow } from '@jalon/flow';
import { type Directory, type Journal, JournalUnavailable, restore } from '@jalon/journal';
import { ReadModelsBehind, ReadModelsUnavailable } from '@jalon/projections';
import { catalogue } from '@jalon/workflows';
import type { Product } from './product.ts';

/** How long an import by a running server waits for its read models before it says that they follow. */
const READ_MODELS_MS = 600_000;

/** By which it is known whose payload may be absent. */
const find: FindWorkflow = (name, version) => catalogue.find(name, version);

/** A running server cannot import here, and why; nothing was written. */
export class ImportRefused extends Error {
  override readonly name = 'ImportRefused';
}

/**
 * Writes an exported file into an empty log, or goes on with what an interrupted import left; says what was imported.
 * @throws ArchiveRefused, DirectoryTaken, JournalUnavailable
 */
export async function importFile(
  file: string,
  { journal, directory }: { journal: Journal; directory: Directory },
  say: (line: string) => void,
  partial = false,
): Promise<string> {
  const lines = () => createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  const progress = (what: 'checked' | 'there', events: number) =>
    say(what === 'checked' ? `${events} faits vérifiés` : `${events} faits`);
  const { events, persons, payloads } = await restore(lines, journal, directory, { say: progress, find, partial });
  if (events === 0) return 'Tout est déjà au journal, et davantage : rien n’a été écrit.';
  return `${events} faits, ${persons} personnes et ${payloads} contenus effaçables importés, relus et comparés.`;
}

/**
 * The same by a running server, which alone may write in its folder: meanwhile it takes no proposal (503, to be sent again),
 * and reads as before. Ends once its read models show what was imported.
 * @throws ImportRefused when others write to the log as well
 */
export async function importWhileServing(
  file: string,
  { journal, directory, engine, projector, soleWriter }: Product,
  say: (line: string) => void,
  partial = false,
): Promise<string> {
  if (!soleWriter)
    throw new ImportRefused(
      "Le journal de ce serveur est dans EventStoreDB, où d'autres nœuds écrivent : arrêtez-les tous, puis importez.",
    );
  const done = await journal.reserve('Un import est en cours.', async (reserved) => {
    try {
      return await importFile(file, { journal: reserved, directory }, say, partial);
    } finally {
      engine.reread(await reserved.tip());
    }
  });
  try {
    await projector.caughtUp(await journal.tip(), READ_MODELS_MS);
    return done;
  } catch (fault) {
    const later = fault instanceof ReadModelsBehind || fault instanceof ReadModelsUnavailable;
    if (!later && !(fault instanceof JournalUnavailable)) throw fault;
    return `${done} Les vues suivront.`;
  }
}
