import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JournalRefused } from '@jalon/journal';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeCalendarTokens } from './calendar-tokens.contract.ts';
import { openKept } from './kept.ts';
import { IN_SQLITE, Site } from './site.ts';

describeCalendarTokens(() => IN_SQLITE);

describe('the file of what is kept', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.open(IN_SQLITE);
  });
  afterEach(() => site.close());

  test.each([
    ['is no database', 'du bruit '.repeat(2000), /cannot be opened/],
    ['is foreign', 'journal.db', /did not make/],
  ])('that %s is refused, and left as it is', async (_what, content, sentence) => {
    const file = join(site.folder, 'reglages.db');
    const bytes = content.endsWith('.db') ? readFileSync(join(site.folder, content)) : Buffer.from(content);
    writeFileSync(file, bytes);
    const opening = openKept(site.folder);
    await expect(opening).rejects.toThrow(JournalRefused);
    await expect(opening).rejects.toThrow(sentence);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});
