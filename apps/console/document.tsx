import { Button } from '@codegouvfr/react-dsfr/Button';
import type { FieldProps } from '@rjsf/utils';
import { useRef, useState } from 'react';
import { InputGroup } from './form-theme.tsx';

type Document = { reference?: string; titre?: string; empreinte?: string };

/**
 * A document of the file: its title, its reference, and the digest by which it is recognised. The digest is computed
 * here from a file that one chooses; the file itself goes nowhere.
 */
export function DocumentField({
  fieldPathId: { $id, path },
  schema,
  required,
  formData,
  onChange,
  errorSchema,
  rawErrors,
}: FieldProps) {
  const document = (formData ?? {}) as Document;
  const [done, setDone] = useState<number | null>(null);
  const [said, setSaid] = useState('');
  // Which choice of a file is the latest: a digest that ends after it was withdrawn is of nothing any more.
  const [choice, setChoice] = useState(0);
  const latest = useRef({ document, choice });
  latest.current = { document, choice };
  const set = (change: Document) => onChange({ ...latest.current.document, ...change }, path);
  const errorsOf = (name: string) =>
    (errorSchema as Record<string, { __errors?: string[] }> | undefined)?.[name]?.__errors;

  const digest = async (file: File) => {
    const title = file.name.replace(/\.[^.]+$/, '');
    const chosen = choice;
    setSaid('');
    try {
      const empreinte = await sha256(file, setDone);
      if (latest.current.choice !== chosen) return;
      const { titre, reference } = latest.current.document;
      set({ empreinte, titre: titre || title, reference: reference || title });
      setSaid(`Empreinte de « ${file.name} » calculée.`);
    } catch {
      setSaid(`« ${file.name} » n’a pas pu être lu.`);
    } finally {
      setDone(null);
    }
  };
  const withdraw = () => {
    setChoice(choice + 1);
    setDone(null);
    setSaid('');
    onChange(undefined, path);
  };
  const field = (name: keyof Document, label: string, hint?: string) => (
    <InputGroup id={`${$id}_${name}`} label={label} hint={hint} errors={errorsOf(name)} required>
      {(attributes) => (
        <input
          {...attributes}
          className="fr-input"
          value={document[name] ?? ''}
          onChange={({ target }) => set({ [name]: target.value || undefined })}
        />
      )}
    </InputGroup>
  );
  return (
    <fieldset className="groupe-de-champs" id={$id}>
      <legend>
        {schema.title}
        {!required && ' (facultatif)'}
      </legend>
      <InputGroup
        id={`${$id}_fichier`}
        label="Fichier"
        hint="Son empreinte est calculée ici ; le fichier ne quitte pas cet ordinateur."
        errors={rawErrors}
      >
        {(attributes) => (
          <input
            {...attributes}
            key={choice}
            type="file"
            className="fr-upload"
            onChange={({ target }) => target.files?.[0] && void digest(target.files[0])}
          />
        )}
      </InputGroup>
      {done !== null && (
        <p>
          <progress value={done} max={1} aria-label="Calcul de l’empreinte" />
        </p>
      )}
      <p role="status" className={said ? 'fr-message fr-message--valid' : 'fr-sr-only'}>
        {said}
      </p>
      {field('titre', 'Titre')}
      {field('reference', 'Référence')}
      {field('empreinte', 'Empreinte', 'SHA-256 du fichier, en hexadécimal')}
      {(done !== null || Object.values(document).some(Boolean)) && (
        <Button size="small" priority="tertiary" iconId="fr-icon-delete-bin-line" onClick={withdraw}>
          Retirer ce document
        </Button>
      )}
    </fieldset>
  );
}

/** The SHA-256 of a file in hex, read piece by piece so that its size does not matter. */
async function sha256(file: File, progress: (done: number) => void): Promise<string> {
  const { sha256: algorithm } = await import('@noble/hashes/sha2.js');
  const hash = algorithm.create();
  let read = 0;
  progress(0);
  const reader = file.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    hash.update(piece.value);
    read += piece.value.length;
    progress(read / file.size);
  }
  return Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
