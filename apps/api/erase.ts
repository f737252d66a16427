import type { StoredEvent } from '@jalon/journal';
import { OPERATOR } from './accesses.ts';
import type { Product } from './product.ts';

/** What is to be destroyed: the names of a person, or the payload of a fact that can be erased. */
export type Erasure = { iss: string; sub: string } | { fact: string };

/** Nothing was erased; the message says why. */
export class EraseRefused extends Error {
  override readonly name = 'EraseRefused';
}

/**
 * Erases, and leaves no byte of it in the stores: what is in the log stays provable, since it holds commitments only. Asked
 * for and done are both recorded in the log of accesses.
 * @throws EraseRefused, JournalUnavailable
 */
export async function erase(product: Product, erasure: Erasure): Promise<string> {
  return 'fact' in erasure ? erasePayload(product, erasure.fact) : eraseNames(product, erasure);
}

async function eraseNames(product: Product, { iss, sub }: { iss: string; sub: string }): Promise<string> {
  const { directory } = product;
  if (!(await isKnown(product, iss, sub)))
    throw new EraseRefused(`Aucun nom n'est connu pour « ${sub} » de l'émetteur ${iss} : rien n'est effacé.`);
  await told(product, 'acces.effacement-demande', { personne: { iss, sub } });
  const names = await directory.forget(iss, sub);
  await directory.purge();
  await told(product, 'acces.efface', { personne: { iss, sub }, noms: names });
  return `${names} ${names > 1 ? 'noms effacés' : 'nom effacé'} pour « ${sub} » de l'émetteur ${iss}.`;
}

async function isKnown({ directory }: Product, iss: string, sub: string): Promise<boolean> {
  for await (const person of directory.persons()) if (person.iss === iss && person.sub === sub) return true;
  return false;
}

async function erasePayload(product: Product, id: string): Promise<string> {
  const { directory } = product;
  if (!(await directory.payload(id))) throw new EraseRefused(await whyNot(product, id));
  await told(product, 'acces.effacement-demande', { fait: id });
  await directory.drop(id);
  await directory.purge();
  await told(product, 'acces.efface', { fait: id });
  return `Contenu du fait ${id} effacé.`;
}

// Only what can be erased lies in the directory: what is not there is looked for in the log, to say why.
async function whyNot({ journal }: Product, id: string): Promise<string> {
  let found: StoredEvent | undefined;
  for await (const page of journal.readAll(null, { prefixes: ['dossier-'] })) {
    found = page.find(({ envelope }) => envelope.id === id);
    if (found) break;
  }
  if (!found) return `Aucun fait ${id} dans le journal : rien n'est effacé.`;
  if (found.salt === undefined) return `Le contenu du fait ${id} est déjà effacé.`;
  return `Le fait ${id} (${found.envelope.type}) ne peut pas être effacé : la procédure en dépend. Seules les notes et leurs corrections le peuvent.`;
}

function told(
  { accesses }: Product,
  type: 'acces.effacement-demande' | 'acces.efface',
  data: Record<string, unknown>,
): Promise<void> {
  return accesses.record(type, OPERATOR, { operation: 'jalon erase', ...data });
}
