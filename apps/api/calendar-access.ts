import { randomBytes, randomUUID } from 'node:crypto';
import type { Caller } from '@jalon/engine';
import { sha256 } from '@jalon/journal';
import type { CalendarOwner, CalendarToken, CalendarTokens } from '@jalon/projections';
import { TokenRefused } from './tokens.ts';

const SHAPE = /^cal_[A-Za-z0-9_-]{43}$/;

/**
 * Tokens by which a calendar program, which can present no other, reads its owner's deadlines, and nothing else. One is
 * random (256 bits), told once, and kept only as its digest; it sees what its owner saw when it was made, until revoked.
 */
export class CalendarAccess {
  constructor(private readonly tokens: CalendarTokens) {}

  /** A new token for the caller, and what is to be kept of it, which `keep` does. */
  grant(caller: Caller, label: string | undefined, now: Date): { token: string; kept: CalendarToken } {
    const { iss, sub, roles, org } = caller;
    const token = `cal_${randomBytes(32).toString('base64url')}`;
    const kept: CalendarToken = {
      id: randomUUID(),
      owner: { iss, sub, roles, ...(org === undefined ? {} : { org }) },
      ...(label === undefined ? {} : { label }),
      createdAt: now.toISOString(),
    };
    return { token, kept };
  }

  /** From now on the token opens its owner's calendar. */
  async keep(token: string, kept: CalendarToken): Promise<void> {
    await this.tokens.keep(kept, sha256(token));
  }

  /** Whose calendar a token reads. @throws TokenRefused when there is none such, or no more */
  async reader(token: string): Promise<CalendarOwner> {
    const digest = SHAPE.test(token) ? sha256(token) : null;
    const kept = digest && (await this.tokens.find(digest));
    if (kept) return kept.owner;
    const revoked = digest === null ? null : await this.tokens.revoked(digest);
    const { iss, sub } = revoked?.owner ?? {};
    const about = revoked ? { agenda: revoked.id, titulaire: { iss, sub }, revoque: true } : {};
    throw new TokenRefused("Ce jeton d'agenda n'est pas, ou plus, valable.", about);
  }
}
