import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KeyFile, readVerifierKey, serveWitness, verifierKey, Witness } from '@jalon/proof';

/** What a witness is started with: its folder, the logs' verifier keys, where it listens, its name at the first start. */
export type Witnessing = { folder: string; logs: readonly string[]; host: string; port: number; name?: string };

/**
 * Watches logs and cosigns what extends them, until the process is told to end; its key is made at the first start.
 * @throws RangeError on a wrong verifier key or name; KeyFileRefused, JournalRefused when the folder cannot serve
 */
export async function watch(
  { folder, logs, host, port, name }: Witnessing,
  say: (line: string) => void,
): Promise<void> {
  const keys = logs.map((text) => readVerifierKey(text));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = new KeyFile(join(folder, 'cle.pem'));
  const witness = new Witness({
    folder,
    pair: file.read() ?? file.create(),
    name,
    draw: () => `temoin-${randomBytes(8).toString('hex')}`,
    logs: keys,
    clock: () => new Date(),
  });
  try {
    const { url, close } = await serveWitness(witness, host, port);
    say(
      `Témoin à l'écoute sur ${url}. Pour le journal : JALON_WITNESSES="${verifierKey(witness.key, 'cosignature')} ${url}"`,
    );
    await new Promise<void>((ended) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended());
    });
    await close();
  } finally {
    witness.close();
  }
}
