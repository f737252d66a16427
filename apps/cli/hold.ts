import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { readSqliteJournal } from '@jalon/journal';
import { readConfig } from '../api/config.ts';
import { type ControlLine, type Order, perform } from '../api/control.ts';
import { controlSocket } from '../api/control-socket.ts';
import { openProduct } from '../api/product.ts';

/** The server could not carry an order out, in its own words. */
export class OrderFailed extends Error {
  override readonly name = 'OrderFailed';
}

/**
 * Carries an order out on a data folder: by the server that runs on it when there is one, since it alone may write there,
 * else in this process.
 * @throws ConfigRefused, JournalRefused, OrderFailed
 */
export async function carryOut(folder: string, order: Order, say: (progress: string) => void): Promise<string> {
  const done = await askServer(folder, order, say);
  if (done !== null) return done;
  const config = readConfig(process.env);
  if (order.command !== 'sample' && config.ESDB_URL === undefined) await assertJournal(folder);
  const product = await openProduct(
    folder,
    () => new Date(),
    (what) => say(what),
    config,
  );
  try {
    return await perform(product, order, say);
  } finally {
    await product.close();
  }
}

/** A mistyped folder is not made into a new, empty one. @throws JournalRefused */
async function assertJournal(folder: string): Promise<void> {
  const { journal, directory } = await readSqliteJournal(folder);
  await Promise.all([journal.close(), directory.close()]);
}

/** Has the server that runs on a folder carry an order out; null when none listens. @throws OrderFailed */
export function askServer(folder: string, order: Order, say: (progress: string) => void): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(controlSocket(folder));
    socket.once('error', (fault: NodeJS.ErrnoException) =>
      fault.code === 'ENOENT' || fault.code === 'ECONNREFUSED' ? resolve(null) : reject(fault),
    );
    socket.once('connect', () => {
      socket.write(JSON.stringify(order));
      const lines = createInterface({ input: socket });
      lines.on('line', (text) => {
        const line = JSON.parse(text) as ControlLine;
        if ('progress' in line) say(line.progress);
        else if ('done' in line) resolve(line.done);
        else reject(new OrderFailed(line.failed));
      });
      lines.once('close', () => reject(new OrderFailed("Le serveur s'est arrêté avant d'avoir fini.")));
    });
  });
}
