import { expect } from '@jest/globals';
import { PROBLEMS, type ProblemName } from '../apps/api/problems.ts';
import type { Answer, Running } from './running.ts';
import type { Step } from './walk.ts';

/** The organisations of the example dossier. */
export const PRESTATAIRE = 'Nuage de Brocéliande';
export const CENTRE = "Centre d'évaluation de Rennes";

/** A token per role; `autre` is another company's. */
export type Tokens = Record<
  'prestataire' | 'centre' | 'charge' | 'chef' | 'dg' | 'auditeur' | 'abonne' | 'administrateur' | 'autre',
  string
>;

/** Demonstration tokens of everyone who takes part in the example dossier. */
export async function parties({ token }: Running): Promise<Tokens> {
  return {
    prestataire: await token('prestataire', { org: PRESTATAIRE }),
    centre: await token('centre-evaluation', { org: CENTRE }),
    charge: await token('charge-de-qualification'),
    chef: await token('chef-de-bureau'),
    dg: await token('directeur-general'),
    auditeur: await token('auditeur'),
    abonne: await token('abonne'),
    administrateur: await token('administrateur'),
    autre: await token('prestataire', { sub: 'ailleurs', org: 'Nuage de Paimpont' }),
  };
}

const NAMES: Readonly<Record<string, keyof Tokens>> = {
  prestataire: 'prestataire',
  'centre-evaluation': 'centre',
  'charge-de-qualification': 'charge',
  'chef-de-bureau': 'chef',
  'directeur-general': 'dg',
};

/** The token of a role of the procedure. */
export function tokenOf(tokens: Tokens, role: string): string {
  return tokens[NAMES[role] as keyof Tokens];
}

/** What opens a dossier with this fact. */
export const opening = ({ role: _, ...fact }: Step) => ({ workflow: 'secnumcloud', fact });

/** Proposes a fact, in the role of its example unless told otherwise. */
export function propose(server: Running, tokens: Tokens, id: string, { role, ...fact }: Step): Promise<Answer> {
  return server.call(tokenOf(tokens, role), 'POST', `/api/dossiers/${id}/facts`, fact);
}

/** Opens a dossier and leads it through facts that must all be accepted, and shows nobody more of it; gives its id. */
export async function lead(server: Running, tokens: Tokens, [first, ...others]: readonly Step[]): Promise<string> {
  const { role } = first as Step;
  const unshown = { prefer: 'return=minimal' };
  const opened = await server.call(tokenOf(tokens, role), 'POST', '/api/dossiers', opening(first as Step), unshown);
  expect(opened).toMatchObject({ status: 201 });
  const { id } = opened.body;
  for (const { role: by, ...fact } of others) {
    const path = `/api/dossiers/${id}/facts`;
    expect(await server.call(tokenOf(tokens, by), 'POST', path, fact, unshown)).toMatchObject({ status: 201 });
  }
  return id;
}

// A stack trace, a path of ours, a store's name: nothing of the inside is for a caller to read.
const INSIDE = /\bat .+:\d+|node_modules|\.ts\b|\.mjs\b|sqlite|Exception|FST_|Error\b/i;

/** Expects what is sent to be answered by a whole problem document of this type, and no fact to be recorded. */
export async function refused(
  server: Running,
  name: ProblemName,
  send: () => Promise<Answer>,
  members: Record<string, unknown> = {},
): Promise<Answer> {
  const tip = await server.product.journal.tip();
  const answer = await send();
  const [status, title] = PROBLEMS[name];
  expect(answer.body).toEqual({
    type: `/problems/${name}`,
    title,
    status,
    detail: expect.stringMatching(/^\S.*[.?»]$/s),
    ...members,
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.text).not.toMatch(INSIDE);
  await nothingRecorded(server, tip);
  return answer;
}

/** Expects no fact nor reminder after this position. Denials are recorded, in streams of their own. */
export async function nothingRecorded({ product }: Running, tip: bigint | null): Promise<void> {
  for await (const page of product.journal.readAll(tip, { prefixes: ['dossier-', 'rappels-'] }))
    expect(page).toEqual([]);
}

/** The faults of a proposal of the wrong form, by their paths. */
export const faultsAt = (...paths: string[]) => ({
  errors: expect.arrayContaining(paths.map((path) => ({ path, message: expect.stringMatching(/^\S/) }))),
});
