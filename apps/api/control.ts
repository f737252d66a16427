import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { type AccessData, OPERATOR } from './accesses.ts';
import { controlSocket } from './control-socket.ts';
import { type Erasure, erase } from './erase.ts';
import { ImportRefused, importWhileServing } from './import.ts';
import { listKeys, rotateKey } from './keys.ts';
import { mend } from './mend.ts';
import type { Product } from './product.ts';
import { projections } from './read-models.ts';
import { loadSample } from './sample.ts';

/** What the command line may ask of whoever holds a data folder: the server that runs on it, or itself. */
export type Order =
  | { command: 'sample' }
  | { command: 'rebuild'; projection?: string }
  | { command: 'keys'; act: 'list' | 'rotate' }
  | { command: 'erase'; erasure: Erasure }
  /** `origin`: under which name the log goes on; drawn when it is absent. */
  | { command: 'mend'; origin?: string }
  /** Something is about to be read past the server, which the log of accesses is told. */
  | { command: 'reading'; type: FolderReading; data: AccessData }
  /** `elsewhere`: other stores than those of the server were named; `partial`: also a file that says that facts are missing. */
  | { command: 'import'; file: string; elsewhere: boolean; partial: boolean };

/** What the log of accesses is told of who reads a data folder itself. */
type FolderReading = 'acces.exporte' | 'acces.faits-lus' | 'acces.journal-verifie';

/** One line of the answer: progress, then the end. */
export type ControlLine = { progress: string } | { done: string } | { failed: string };

/** Carries an order out in the process that may write; answers with what was done. */
export async function perform(product: Product, order: Order, say: (progress: string) => void): Promise<string> {
  if (order.command === 'sample') {
    const { recorded, already } = await loadSample(product.engine, say);
    return `${recorded} faits enregistrés, ${already} déjà présents.`;
  }
  if (order.command === 'import') {
    if (order.elsewhere)
      throw new ImportRefused(
        'Un serveur tourne sur ce dossier : il importe dans ses propres entrepôts, sans --eventstore ni --database.',
      );
    return importWhileServing(order.file, product, say, order.partial);
  }
  if (order.command === 'keys') return order.act === 'rotate' ? rotated(product) : listKeys(product.proving);
  if (order.command === 'mend') return mend(product, order.origin);
  if (order.command === 'erase') return erase(product, order.erasure);
  if (order.command === 'reading') {
    await product.accesses.record(order.type, OPERATOR, order.data);
    return 'Inscrit au journal des accès.';
  }
  if (order.command !== 'rebuild') throw new RangeError('Commande inconnue du serveur : est-il de la même version ?');
  const started = performance.now();
  if (order.projection === 'preuve') {
    await product.proving.notary.rebuild((facts) => say(`preuve : ${facts} faits`));
    return 'Arbre des preuves reconstruit : chaque point de contrôle signé tient.';
  }
  const which = order.projection === undefined ? 'all' : [order.projection];
  await product.projector.rebuild(which, ({ projections: built, facts }) =>
    say(`${built.join(', ')} : ${facts} faits`),
  );
  const names = which === 'all' ? projections.map(({ name }) => name) : which;
  return `Vues reconstruites en ${((performance.now() - started) / 1000).toFixed(1)} s : ${names.join(', ')}.`;
}

async function rotated({ proving, accesses }: Product): Promise<string> {
  const done = await rotateKey(proving);
  await accesses.record('acces.cle-remplacee', OPERATOR, { operation: 'jalon keys rotate' });
  return done;
}

/** Listens for orders beside HTTP. The folder's lock is held: a socket left by a killed server is nobody's. */
export async function openControl(product: Product, log: Logger): Promise<() => Promise<void>> {
  const path = controlSocket(product.folder);
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.setEncoding('utf8');
    socket.once('data', (text: string) => void serve(socket, text, product));
    socket.on('error', (err) => log.warn({ err }, 'control connection lost'));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  chmodSync(path, 0o600);
  return () => new Promise<void>((resolve) => server.close(() => resolve()));
}

async function serve(socket: Socket, text: string, product: Product): Promise<void> {
  const say = (line: ControlLine) => void socket.write(`${JSON.stringify(line)}\n`);
  try {
    say({ done: await perform(product, JSON.parse(text) as Order, (progress) => say({ progress })) });
  } catch (fault) {
    say({ failed: (fault as Error).message });
  }
  socket.end();
}
