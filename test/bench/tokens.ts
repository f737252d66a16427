import { ORGS } from './seed.ts';

/** Demonstration tokens of a server, by role. */
export async function tokensOf(url: string): Promise<Record<string, string>> {
  const tokens: Record<string, string> = {};
  for (const role of ['prestataire', 'centre-evaluation', 'charge-de-qualification']) {
    const body = JSON.stringify({ role, nom: `Banc ${role}`, ...(ORGS[role] ? { org: ORGS[role] } : {}) });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/api/demo/token`, { method: 'POST', headers, body });
    tokens[role] = ((await answer.json()) as { access_token: string }).access_token;
  }
  return tokens;
}
