import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { readCheckpoint, type TreeHead } from './checkpoint.ts';
import { NoteRefused } from './note.ts';

/** The file of the last signed head cannot be used, and why: without it nothing is signed. */
export class HeadFileRefused extends Error {
  override readonly name = 'HeadFileRefused';
}

/**
 * The head of the last tree that was signed, outside the stores and beside the key, in the three lines that a checkpoint
 * signs: whoever puts the stores back, or writes them anew, does not make the notary forget what it signed.
 */
export class HeadFile {
  constructor(readonly path: string) {}

  /** The head, null when nothing was signed yet. @throws HeadFileRefused */
  read(): TreeHead | null {
    if (!existsSync(this.path)) return null;
    try {
      return readCheckpoint(`${readFileSync(this.path, 'utf8')}\n— ${UNSIGNED}\n`);
    } catch (cause) {
      const why = cause instanceof NoteRefused ? 'it is no head of a log' : (cause as Error).message;
      throw new HeadFileRefused(`${this.path}, the last head that was signed, cannot be read: ${why}.`, { cause });
    }
  }

  /** Keeps a head, on the disk when this returns: before the checkpoint that says so leaves. @throws HeadFileRefused */
  write({ origin, size, root }: TreeHead): void {
    const next = `${this.path}.suivante`;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      const file = openSync(next, 'w', 0o600);
      writeSync(file, `${origin}\n${size}\n${root.toString('base64')}\n`);
      fsyncSync(file);
      closeSync(file);
      renameSync(next, this.path);
      const folder = openSync(dirname(this.path), 'r');
      fsyncSync(folder);
      closeSync(folder);
    } catch (cause) {
      throw new HeadFileRefused(
        `${this.path} cannot be written, and nothing is signed without it: ${(cause as Error).message}. JALON_HEAD_FILE names another place.`,
        { cause },
      );
    }
  }
}

/** What makes a note of the three lines, so that they are read as those of checkpoints are; it signs nothing. */
const UNSIGNED = `tete ${Buffer.alloc(68).toString('base64')}`;
