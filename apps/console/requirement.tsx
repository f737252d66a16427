import type { WidgetProps } from '@rjsf/utils';
import { useState } from 'react';
import type { Referentiel } from './reading.ts';
import { plain } from './words.ts';

/** A requirement of the référentiel, chosen by chapter; a search by number or by words of its titles shortens the list. */
export function RequirementWidget({ id, value, onChange, rawErrors, registry }: WidgetProps) {
  const [sought, seek] = useState('');
  const { referentiel } = registry.formContext as { referentiel?: Referentiel };
  const chapters = (referentiel?.chapitres ?? []).map(({ chapitre, titre, sections }) => ({
    label: `${chapitre} ${titre}`,
    options: sections.flatMap((section) =>
      section.exigences
        .map((exigence) => ({ exigence, text: `${exigence} · ${section.titre}` }))
        .filter(({ exigence, text }) => exigence === value || plain(`${text} ${titre}`).includes(plain(sought))),
    ),
  }));
  const count = chapters.reduce((sum, { options }) => sum + options.length, 0);
  return (
    <>
      <label className="fr-label fr-text--sm" htmlFor={`${id}_recherche`}>
        Chercher par numéro ou par mots du titre
      </label>
      <input
        id={`${id}_recherche`}
        className="fr-input fr-mb-1w"
        type="search"
        value={sought}
        onChange={({ target }) => seek(target.value)}
      />
      <p role="status" className="fr-hint-text fr-mb-1w">
        {count} exigence{count > 1 ? 's' : ''}
      </p>
      <select
        id={id}
        className="fr-select"
        value={value ?? ''}
        aria-invalid={rawErrors !== undefined && rawErrors.length > 0}
        aria-describedby={`${id}__messages`}
        onChange={({ target }) => onChange(target.value || undefined)}
      >
        <option value="">Choisir une exigence</option>
        {chapters
          .filter(({ options }) => options.length > 0)
          .map(({ label, options }) => (
            <optgroup key={label} label={label}>
              {options.map(({ exigence, text }) => (
                <option key={exigence} value={exigence}>
                  {text}
                </option>
              ))}
            </optgroup>
          ))}
      </select>
    </>
  );
}
