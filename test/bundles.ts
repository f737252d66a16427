import { canonicalJson } from '@jalon/journal';
import type { Bundle } from '@jalon/proof';
import { lead, parties, type Tokens, tokenOf } from './parties.ts';
import type { Running } from './running.ts';
import { fact, type Step, walkToJ3 } from './walk.ts';

/** Tokens of parties of which some have names. */
export async function namedParties(server: Running): Promise<Tokens> {
  return {
    ...(await parties(server)),
    charge: await server.token('charge-de-qualification', { nom: 'Camille Étienne' }),
    chef: await server.token('chef-de-bureau', { nom: 'Gwenaël Prigent' }),
  };
}

/** A dossier of 40 facts, of every kind that a bundle treats differently; its id. */
export async function fortyFacts(server: Running, tokens: Tokens): Promise<string> {
  const id = await lead(server, tokens, walkToJ3());
  const target = fact('dossier.cible-annoncee');
  // Nobody is shown more of it: the log of accesses stays as short as what is done here.
  const path = `/api/dossiers/${id}/facts`;
  const unshown = { prefer: 'return=minimal' };
  const record = async (step: Step): Promise<string> => {
    const { role, ...proposed } = step;
    const { status, body, text } = await server.call(tokenOf(tokens, role), 'POST', path, proposed, unshown);
    if (status !== 201) throw new Error(text);
    return body.event.id;
  };
  const behalf = { role: 'prestataire', org: 'Nuage de Brocéliande', nom: 'Yann Guivarch' };
  const { role: _, ...said } = target;
  await server.call(tokens.charge, 'POST', path, { ...said, onBehalfOf: behalf }, unshown);
  const note = await record(fact('dossier.note-ajoutee', { texte: 'À revoir en septembre.' }));
  await record(fact('dossier.note-ajoutee', { texte: 'Revu.' }));
  const wrong = await record(target);
  const charge = 'charge-de-qualification';
  const corrected = { ...target.data, periode: '2027' };
  await record({
    type: 'dossier.fait-rectifie',
    role: charge,
    data: { fait: wrong, donnees: corrected, motif: 'Erreur.' },
  });
  await record({ type: 'dossier.fait-annule', role: charge, data: { fait: note, motif: 'Sans objet.' } });
  for (;;) {
    const { body } = await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`);
    if (body.revision >= 39) return id;
    await record(target);
  }
}

/** The bundle of a dossier, as text. */
export async function bundleOf(server: Running, token: string, id: string): Promise<string> {
  const { status, text } = await server.call(token, 'GET', `/api/dossiers/${id}/bundle`);
  if (status !== 200) throw new Error(text);
  return text;
}

/** A bundle with something changed in it, sealed again by the server's own key: only the other checks can find it. */
export async function resealed({ product }: Running, bundle: Bundle): Promise<string> {
  const { seal: _, ...sealed } = bundle;
  return canonicalJson({ ...sealed, seal: await product.proving.sealer.seal(canonicalJson(sealed)) });
}
