import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isOrigin, type TreeHead } from '@jalon/proof';
import { OPERATOR } from './accesses.ts';
import { listKeys } from './keys.ts';
import type { Product } from './product.ts';

/** The log cannot be given another origin, and why; nothing was changed. */
export class MendRefused extends Error {
  override readonly name = 'MendRefused';
}

/** How long is waited for the log to be compared with what was signed, when this process has just opened it. */
const LOOK_MS = 15_000;

/**
 * Mends a log that does not extend what was signed last (a restored file, another store, facts that were changed): closes
 * its origin, whose checkpoints are kept, and begins another. Nothing is ever signed over what does not extend what was
 * signed; both heads are recorded in the log of accesses before anything changes.
 * @throws MendRefused when there is nothing to mend, or the origin that is wanted can be none
 */
export async function mend({ proving, accesses }: Product, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined && !isOrigin(wanted))
    throw new MendRefused('--origin donne un mot sans espace ni signe plus, comme journal.example.fr.');
  const { notary } = proving;
  for (let waited = 0; !notary.diverged && !notary.isLevel && waited < LOOK_MS; waited += 100) await delay(100);
  if (!notary.diverged)
    throw new MendRefused('Le journal prolonge ce qui fut signé en dernier : il n’y a rien à réparer.');
  const origin = wanted ?? `jalon-${randomBytes(8).toString('hex')}`;
  let closed: TreeHead | undefined;
  await notary.reorigin(origin, async (before, now) => {
    closed = before;
    const head = ({ size, root }: Omit<TreeHead, 'origin'>) => ({ taille: size, racine: root.toString('base64') });
    await accesses.record('acces.origine-fermee', OPERATOR, {
      operation: 'jalon mend',
      fermee: { origine: before.origin, ...head(before) },
      ouverte: { origine: origin, ...head(now) },
    });
  });
  return [
    `L’origine ${closed?.origin} est fermée à ${closed?.size} faits : ses points de contrôle sont gardés, et rien ne sera plus signé en son nom.`,
    `Le journal continue sous l’origine ${origin}. Donnez sa clé à qui vérifie, et aux témoins :`,
    await listKeys(proving),
  ].join('\n');
}
