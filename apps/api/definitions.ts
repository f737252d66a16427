import { existsSync, readFileSync } from 'node:fs';
import { canonicalJson, sha256 } from '@jalon/journal';
import { catalogue, hashes } from '@jalon/workflows';

/** The text of a procedure that runs here is not the one that its hash says: the build and its sources differ. */
export class DefinitionChanged extends Error {
  override readonly name = 'DefinitionChanged';
}

/** The folder of the procedures, beside the bundle of the program or from its sources. */
const folder = ['../workflows/', '../../workflows/']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(url));

const read = new Map<string, Record<string, string>>();

/**
 * The text of a version of a procedure, path -> text, as its hash covers it.
 * @throws DefinitionChanged when that text is not there, or not that any more
 */
export function definitionOf(name: string, version: number): Record<string, string> {
  const which = `${name}/v${version}`;
  let files = read.get(which);
  if (files) return files;
  const { files: hashed = {} } = (hashes as Record<string, { files: Record<string, string> }>)[which] ?? {};
  try {
    files = Object.fromEntries(
      Object.keys(hashed).map((path) => [path, readFileSync(new URL(`${which}/${path}`, folder), 'utf8')]),
    );
  } catch (cause) {
    throw new DefinitionChanged(`The text of ${which} cannot be read.`, { cause });
  }
  if (sha256(canonicalJson(files)) !== catalogue.find(name, version)?.hash)
    throw new DefinitionChanged(`The text of ${which} is not the one that this build was made of.`);
  read.set(which, files);
  return files;
}
