import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { openCheckpoint, readCheckpoint, signCheckpoint } from './checkpoint.ts';
import { type NoteKey, type NoteSigner, noteKey, openNote, readVerifierKey, signNote, verifierKey } from './note.ts';
import { EMPTY_ROOT } from './tree.ts';

/** The key and note of the documentation of Go's golang.org/x/mod/sumdb/note, which the format comes from. */
const GO = {
  verifier: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  seed: 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  signature:
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
};

/** The example of the specification, c2sp.org/signed-note. */
const C2SP = {
  verifier: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
  note: 'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
};

const GO_NOTE = `${GO.text}\n${GO.signature}`;

/** The private key of a seed, in the form of RFC 8410. */
function signer(key: NoteKey, seed: Buffer): NoteSigner {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return { key, privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
}

const peter = signer(readVerifierKey(GO.verifier), Buffer.from(GO.seed, 'base64').subarray(1));

describe('signed notes, against the published examples', () => {
  test.each([
    ['Go', GO.verifier, GO_NOTE],
    ['C2SP', C2SP.verifier, C2SP.note],
  ])('the note of %s is its key’s', (_, verifier, note) => {
    const key = readVerifierKey(verifier);
    expect(openNote(note, [key])).toEqual({ text: note.slice(0, note.indexOf('\n\n') + 1), by: [key] });
    expect(verifierKey(key)).toBe(verifier);
    expect(noteKey(key.name, key.publicKey).id).toBe(verifier.split('+')[1]);
  });

  test('signing gives the published note again, byte for byte', () => {
    expect(signNote(GO.text, [peter])).toBe(GO_NOTE);
  });

  test('every byte of a note counts: none can be changed', () => {
    const key = readVerifierKey(GO.verifier);
    const bytes = Buffer.from(GO_NOTE);
    const passing: number[] = [];
    for (const [i, byte] of bytes.entries())
      for (let bit = 0; bit < 8; bit += 1) {
        bytes[i] = byte ^ (1 << bit);
        try {
          openNote(bytes.toString('utf8'), [key]);
          passing.push(i);
        } catch (refused) {
          expect((refused as Error).name).toBe('NoteRefused');
        }
        bytes[i] = byte;
      }
    expect(passing).toEqual([]);
  });

  test.each([
    ['nothing', ''],
    ['a text alone', GO.text],
    ['no empty line', GO.text + GO.signature],
    ['no signature', `${GO.text}\n`],
    ['no end of its last line', GO_NOTE.slice(0, -1)],
    ['an empty text', `\n${GO.signature}`],
    ['a signature in another base64', GO_NOTE.replace('nAM=', 'nAN=')],
    ['a signature line that is none', `${GO_NOTE}- PeterNeumann x08go\n`],
    ['a control character', GO_NOTE.replace('think', 'th\u0007ink')],
    ['more after the signatures', `${GO_NOTE}bonjour\n`],
  ])('a note with %s is refused', (_, note) => {
    expect(() => openNote(note, [peter.key])).toThrow(/note|signature|signed/i);
  });

  test.each([
    ['of another id', GO.verifier.replace('c74f20a3', 'c74f20a4')],
    ['of another name', GO.verifier.replace('Peter', 'Petra')],
    ['of another algorithm', GO.verifier.replace('+ARpc', '+Ahpc')],
    ['cut short', GO.verifier.slice(0, -4)],
    ['without a name', GO.verifier.slice('PeterNeumann'.length)],
  ])('a verifier key %s is refused', (_, verifier) => {
    expect(() => readVerifierKey(verifier)).toThrow(RangeError);
  });

  test.each(['', 'a b', 'a+b', 'a\u00a0b', 'a\nb'])('« %s » is no name of a key', (name) => {
    expect(() => noteKey(name, peter.key.publicKey)).toThrow(RangeError);
  });
});

describe('a note with several signatures', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
  const witness: NoteSigner = { key: noteKey('temoin.example', raw), privateKey };
  const both = signNote(GO.text, [peter, witness]);

  test('is each of its signers’; keys that are not known say nothing', () => {
    expect(openNote(both, [peter.key]).by).toEqual([peter.key]);
    expect(openNote(both, [witness.key]).by).toEqual([witness.key]);
    expect(openNote(both, [witness.key, peter.key]).by).toEqual([peter.key, witness.key]);
    expect(() => openNote(GO_NOTE, [witness.key])).toThrow('No key that is trusted');
    expect(() => openNote(both, [])).toThrow('No key that is trusted');
  });

  test('is refused when one signature of a known key is wrong, however right the others are', () => {
    const [lines, last] = [both.split('\n').slice(0, -2), both.split('\n').at(-2)!];
    const other = signNote('Un autre texte.\n', [witness]).split('\n').at(-2)!;
    expect(last).not.toBe(other);
    const mixed = `${[...lines, other].join('\n')}\n`;
    expect(() => openNote(mixed, [peter.key, witness.key])).toThrow('is wrong');
    expect(openNote(mixed, [peter.key]).by).toEqual([peter.key]);
  });
});

describe('checkpoints', () => {
  /** The example of the specification, c2sp.org/tlog-checkpoint. */
  const EXAMPLE =
    'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n';

  test('the published example is read', () => {
    expect(readCheckpoint(EXAMPLE)).toEqual({
      origin: 'example.com/behind-the-sofa',
      size: 20852163,
      root: Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64'),
    });
  });

  test('what is signed is read again, by those who trust the key', () => {
    const head = { origin: 'PeterNeumann', size: 0, root: EMPTY_ROOT };
    const note = signCheckpoint(head, [peter]);
    expect(note).toMatch(/^PeterNeumann\n0\n47DEQpj8HBSa\+\/TImW\+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— PeterNeumann /);
    expect(openCheckpoint(note, [peter.key])).toEqual({ ...head, by: [peter.key] });
  });

  test.each([
    ['two lines', 'journal\n12\n'],
    ['a size with a zero before it', `journal\n012\n${EMPTY_ROOT.toString('base64')}\n`],
    ['a negative size', `journal\n-1\n${EMPTY_ROOT.toString('base64')}\n`],
    ['a root that is too short', 'journal\n12\nAAAA\n'],
    ['a root in hex', `journal\n12\n${EMPTY_ROOT.toString('hex')}\n`],
    ['no origin', `\n12\n${EMPTY_ROOT.toString('base64')}\n`],
  ])('a note with %s is none', (_, text) => {
    expect(() => readCheckpoint(signNote(text, [peter]))).toThrow('no checkpoint');
  });
});
