import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { saltedHash } from './canonical.ts';
import { askedOf, type Directory } from './directory.ts';
import { JournalUnavailable } from './journal.ts';
import { sampleFact } from './sample.ts';

/** Where a directory lies: opened empty before each test, and again as a process that was restarted would. */
export type DirectorySite = { open(): Promise<Directory>; clear(): Promise<void> };

/** What every directory of persons guarantees, whatever it lies in. */
export function describeDirectory(site: () => DirectorySite): void {
  describe('a directory of persons', () => {
    const iss = 'https://connexion.example';
    const person = { iss, sub: 'a-17', name: 'Camille Étienne', salt: '01'.repeat(16) };
    const note = { id: 'note-1', data: { texte: 'À rappeler : jamais par écrit.' }, salt: '02'.repeat(16) };
    let directory: Directory;
    beforeEach(async () => {
      directory = await site().open();
    });
    afterEach(async () => {
      await directory.close();
      await site().clear();
    });
    const reopen = async () => {
      await directory.close();
      directory = await site().open();
    };

    test('commits to a name by the salt of its first row, whatever salt comes later', async () => {
      const commitment = await directory.commit(person);
      expect(commitment).toBe(saltedHash(person.salt, person.name));
      expect(await directory.commit({ ...person, salt: '03'.repeat(16) })).toBe(commitment);
      await reopen();
      expect(await directory.commit({ ...person, salt: '04'.repeat(16) })).toBe(commitment);
      expect(await directory.name(iss, person.sub, commitment)).toBe(person.name);
    });

    test('gives rivals for one new person the same commitment', async () => {
      const salts = Array.from({ length: 10 }, (_, i) => String(i).repeat(32));
      const commitments = await Promise.all(salts.map((salt) => directory.commit({ ...person, salt })));
      expect(new Set(commitments).size).toBe(1);
    });

    test('has one row for each name of a person, and finds a name only for its person', async () => {
      const before = await directory.commit(person);
      const after = await directory.commit({ ...person, name: 'Camille Moreau', salt: '05'.repeat(16) });
      expect(await directory.name(iss, person.sub, before)).toBe('Camille Étienne');
      expect(await directory.name(iss, person.sub, after)).toBe('Camille Moreau');
      expect(await directory.name(iss, 'b-18', before)).toBeNull();
      expect(await directory.name('https://autre.example', person.sub, before)).toBeNull();
    });

    test.each([
      ['a NUL and backslashes', 'Cam\0ille \\0 \\'],
      ['four thousand letters', 'Zoé '.repeat(1000)],
      ['letters beyond the first plane', 'Ἀθηνᾶ 𝒞𝒶𝓂 🖋'],
    ])('keeps a name of %s as it is', async (_, name) => {
      const odd = { iss: `${iss}/${name}`, sub: name, name, salt: '09'.repeat(16) };
      const commitment = await directory.commit(odd);
      await reopen();
      expect(await directory.name(odd.iss, odd.sub, commitment)).toBe(name);
      const persons = [];
      for await (const each of directory.persons()) persons.push(each);
      expect(persons).toEqual([odd]);
      expect(await directory.forget(odd.iss, odd.sub)).toBe(1);
    });

    test('knows a person again without asking the store', async () => {
      const commitment = await directory.commit(person);
      await directory.close();
      expect(await directory.commit(person)).toBe(commitment);
      await expect(directory.commit({ ...person, sub: 'b-18' })).rejects.toThrow(JournalUnavailable);
    });

    test('keeps the payload of an erasable fact, and gives back what was kept first under its id', async () => {
      expect(await directory.payload(note.id)).toBeNull();
      expect(await directory.keep(note)).toEqual(note);
      expect(await directory.keep({ ...note, salt: '06'.repeat(16) })).toEqual(note);
      await reopen();
      expect(await directory.payload(note.id)).toEqual(note);
      await directory.drop(note.id);
      expect(await directory.payload(note.id)).toBeNull();
      expect(await directory.keep({ ...note, salt: '06'.repeat(16) })).toEqual({ ...note, salt: '06'.repeat(16) });
    });

    test('discloses at once what many events refer to, and tells what was erased', async () => {
      const name = await directory.commit(person);
      const behalf = { role: 'centre-evaluation', org: 'Centre de Rennes' };
      const party = { iss: 'pour-le-compte-de', sub: 'centre-evaluation Centre de Rennes' };
      const partyName = await directory.commit({ ...party, name: 'Maël Pennec', salt: '0a'.repeat(16) });
      const actor = { iss, sub: person.sub, role: 'charge-de-qualification', name };
      const fact = sampleFact('dossier-a', { envelope: { actor, onBehalfOf: { ...behalf, name: partyName } } });
      const { salt: _, ...noted } = sampleFact('dossier-a', { envelope: { id: note.id, actor } });
      await directory.keep(note);
      const asked = askedOf([fact, noted]);

      const before = await directory.disclose(asked);
      expect(before.whole).toBe(true);
      expect(before.name(iss, person.sub, name)).toBe('Camille Étienne');
      expect(before.name(party.iss, party.sub, partyName)).toBe('Maël Pennec');
      expect(before.payload(note.id)).toEqual(note);
      // Nobody asked for these.
      expect([before.name(iss, 'b-18', name), before.payload(fact.envelope.id)]).toEqual([undefined, undefined]);

      await directory.forget(iss, person.sub);
      await directory.drop(note.id);
      const after = await directory.disclose(asked);
      expect([after.whole, after.name(iss, person.sub, name), after.payload(note.id)]).toEqual([true, null, null]);
      expect(after.name(party.iss, party.sub, partyName)).toBe('Maël Pennec');
    });

    test('gives what opens a commitment, once, for its person only, and not once it is erased', async () => {
      const commitment = await directory.commit(person);
      const own = { iss, sub: person.sub, commitment };
      const opening = { commitment, name: person.name, salt: person.salt };
      expect(await directory.openings([own, own])).toEqual([opening]);
      expect(await directory.openings([{ ...own, sub: 'b-18' }])).toEqual([]);
      expect(await directory.openings([])).toEqual([]);
      await directory.forget(iss, person.sub);
      expect(await directory.openings([own])).toEqual([]);
    });

    test('tells by a number that something was erased, and nothing of it by staying the same', async () => {
      const commitment = await directory.commit(person);
      await directory.keep(note);
      const before = directory.erasures;
      expect(before).not.toBeNull();
      await directory.disclose({ names: [{ iss, sub: person.sub, commitment }], payloads: [note.id] });
      expect(directory.erasures).toBe(before);
      await directory.drop(note.id);
      const between = directory.erasures;
      await directory.forget(iss, person.sub);
      expect(new Set([before, between, directory.erasures]).size).toBe(3);
    });

    test('makes a new commitment for a forgotten person who acts again', async () => {
      const before = await directory.commit(person);
      await directory.commit({ ...person, name: 'Camille Moreau' });
      expect(await directory.forget(iss, person.sub)).toBe(2);
      expect(await directory.name(iss, person.sub, before)).toBeNull();
      const after = await directory.commit({ ...person, salt: '08'.repeat(16) });
      expect(after).not.toBe(before);
      expect(await directory.name(iss, person.sub, after)).toBe(person.name);
      expect(await directory.forget(iss, 'b-18')).toBe(0);
    });

    test('lists everyone and every payload in one order', async () => {
      for (const sub of ['é', 'b', 'A', 'a'])
        await directory.commit({ iss, sub, name: `Nom ${sub}`, salt: '0b'.repeat(16) });
      for (const id of ['c', 'a', 'b']) await directory.keep({ ...note, id });
      const subs: string[] = [];
      for await (const { sub } of directory.persons()) subs.push(sub);
      const ids: string[] = [];
      for await (const { id } of directory.payloads()) ids.push(id);
      expect([subs, ids]).toEqual([
        ['A', 'a', 'b', 'é'],
        ['a', 'b', 'c'],
      ]);
    });

    test('is unavailable once closed', async () => {
      await directory.close();
      await expect(directory.name(iss, 'a', 'b')).rejects.toThrow(JournalUnavailable);
      await expect(directory.payload('a')).rejects.toThrow(JournalUnavailable);
      await expect(directory.disclose({ names: [], payloads: ['a'] })).rejects.toThrow(JournalUnavailable);
      await expect(directory.keep(note)).rejects.toThrow(JournalUnavailable);
      await expect(directory.drop('a')).rejects.toThrow(JournalUnavailable);
      await expect(directory.durability()).rejects.toThrow(JournalUnavailable);
    });
  });
}
