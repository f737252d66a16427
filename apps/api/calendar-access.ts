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

  /** A new token for the caller, and what is kept of it. */
  async grant(caller: Caller, label: string | undefined, now: Date): Promise<{ token: string; kept: CalendarToken }> {
    const { iss, sub, roles, org } = caller;
    const token = `cal_${randomBytes(32).toString('base64url')}`;
    const kept: CalendarToken = {
      id: randomUUID(),
      owner: { iss, sub, roles, ...(org === undefined ? {} : { org }) },
      ...(label === undefined ? {} : { label }),
      createdAt: now.toISOString(),
    };
    await this.tokens.keep(kept, sha256(token));
    return { token, kept };
  }

  /** Whose calendar a token reads. @throws TokenRefused when there is none such, or no more */
  async reader(token: string): Promise<CalendarOwner> {
    const kept = SHAPE.test(token) ? await this.tokens.find(sha256(token)) : null;
    if (!kept) throw new TokenRefused("Ce jeton d'agenda n'est pas, ou plus, valable.");
    return kept.owner;
  }
}
