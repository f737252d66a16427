import { type StoredKey, verifierKey } from '@jalon/proof';
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

function line(key: StoredKey): string {
  const { since, until } = key;
  const when = until === null ? `depuis ${since}, signe` : `de ${since} à ${until}`;
  return `${verifierKey(key)}  ${when}`;
}
