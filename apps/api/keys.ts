import { type StoredKey, verifierKey } from '@jalon/proof';
import type { Product } from './product.ts';
import type { Proving } from './proof.ts';

/** The keys of the log as the command line shows them: one line each, the current one first. */
export async function listKeys({ prover }: Proving): Promise<string> {
  return (await prover.keys()).map(line).join('\n');
}

/** Replaces the key that signs; what the old one signed is still checked with its public half. */
export async function rotateKey(proving: Proving): Promise<string> {
  const { key } = await proving.notary.rotate();
  return `La clé ${key.id} signe désormais ; les précédentes vérifient toujours ce qu'elles ont signé.\n${await listKeys(proving)}`;
}

/**
 * The log of accesses knows of the log's first key, which is made here as soon as there is something to sign: not at once,
 * since an import that was interrupted may go on only in a log that holds nothing else.
 */
export async function recordFirstKey({ proving, accesses, node }: Pick<Product, 'proving' | 'accesses' | 'node'>) {
  const key = await proving.keys.firstMade;
  const actor = { iss: 'urn:jalon:noeud', sub: node, role: 'systeme' };
  accesses.owe('acces.cle-creee', actor, { operation: 'premier point de contrôle', cle: key });
}

function line(key: StoredKey): string {
  const { since, until } = key;
  const when = until === null ? `depuis ${since}, signe` : `de ${since} à ${until}`;
  return `${verifierKey(key)}  ${when}`;
}
