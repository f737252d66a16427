import { Button } from '@codegouvfr/react-dsfr/Button';
import {
  type ArrayFieldItemTemplateProps,
  type ArrayFieldTemplateProps,
  type BaseInputTemplateProps,
  type FieldTemplateProps,
  getInputProps,
  type ObjectFieldTemplateProps,
  type WidgetProps,
} from '@rjsf/utils';
import type { ReactNode } from 'react';
import { capital } from './words.ts';

/** The design system's fields, for the form library: labels and hints from the fact's class, faults beside their field. */

type Attributes = { id: string; 'aria-describedby': string; 'aria-invalid': boolean };

/** A field with its label, hint and faults; `children` is given what ties the input to them. */
export function InputGroup({
  id,
  label,
  hint,
  errors = [],
  required = false,
  children,
}: {
  id: string;
  label: string;
  hint?: string | undefined;
  errors?: readonly string[] | undefined;
  required?: boolean | undefined;
  children: (attributes: Attributes) => ReactNode;
}) {
  const wrong = errors.length > 0;
  return (
    <div className={`fr-input-group${wrong ? ' fr-input-group--error' : ''}`}>
      <label className="fr-label" htmlFor={id}>
        {label}
        {!required && label !== 'Fichier' && ' (facultatif)'}
        {hint && <span className="fr-hint-text">{hint}</span>}
      </label>
      {children({ id, 'aria-describedby': `${id}__messages`, 'aria-invalid': wrong })}
      <Messages id={id} errors={errors} />
    </div>
  );
}

function Messages({ id, errors }: { id: string; errors: readonly string[] | undefined }) {
  return (
    <div className="fr-messages-group" id={`${id}__messages`}>
      {errors?.map((error) => (
        <p key={error} className="fr-message fr-message--error">
          {error}
        </p>
      ))}
    </div>
  );
}

/** The checkboxes of a list are a group of fields, whose name is a legend and no label. */
const isGroup = (schema: { items?: unknown; type?: unknown }) => schema.type === 'array';

/** « Motifs 1 », of what the library calls `Motifs-1`; an item of a list is never optional. */
const called = (label: string, path: readonly (string | number)[]) =>
  typeof path.at(-1) === 'number' ? label.replace(/-(\d+)$/, ' $1') : label;
const isOptional = (required: boolean | undefined, path: readonly (string | number)[]) =>
  !required && typeof path.at(-1) === 'string';

function FieldTemplate(props: FieldTemplateProps) {
  const { id, fieldPathId, label, rawDescription, rawErrors, required, displayLabel, hidden, schema, children } = props;
  if (hidden) return <div hidden>{children}</div>;
  if (!displayLabel || schema.type === 'object') return children;
  const wrong = (rawErrors ?? []).length > 0;
  const name = (
    <>
      {called(label, fieldPathId.path)}
      {isOptional(required, fieldPathId.path) && ' (facultatif)'}
      {rawDescription && <span className="fr-hint-text">{rawDescription}</span>}
    </>
  );
  if (isGroup(schema))
    return (
      <fieldset className={`fr-fieldset${wrong ? ' fr-fieldset--error' : ''}`} aria-describedby={`${id}__messages`}>
        <legend className="fr-fieldset__legend fr-fieldset__legend--regular">{name}</legend>
        <div className="fr-fieldset__element">{children}</div>
        <Messages id={id} errors={rawErrors} />
      </fieldset>
    );
  return (
    <div className={`fr-input-group${wrong ? ' fr-input-group--error' : ''}`}>
      <label className="fr-label" htmlFor={id}>
        {name}
      </label>
      {children}
      <Messages id={id} errors={rawErrors} />
    </div>
  );
}

function ObjectFieldTemplate({
  fieldPathId: { $id, path },
  title,
  description,
  properties,
  required,
}: ObjectFieldTemplateProps) {
  if (path.length === 0) return properties.map(({ content }) => content);
  return (
    <fieldset className="groupe-de-champs" id={$id}>
      <legend>
        {called(title, path)}
        {isOptional(required, path) && ' (facultatif)'}
      </legend>
      {description && <p className="fr-hint-text">{description}</p>}
      {properties.map(({ content }) => content)}
    </fieldset>
  );
}

function ArrayFieldTemplate({
  fieldPathId: { $id },
  title,
  schema,
  items,
  canAdd,
  onAddClick,
  required,
  rawErrors,
}: ArrayFieldTemplateProps) {
  return (
    <fieldset className="groupe-de-champs" id={$id} tabIndex={-1} aria-describedby={`${$id}__messages`}>
      <legend>
        {title}
        {!required && ' (facultatif)'}
      </legend>
      {schema.description && <p className="fr-hint-text">{schema.description}</p>}
      {items}
      {canAdd && (
        <Button size="small" priority="secondary" iconId="fr-icon-add-line" onClick={onAddClick}>
          Ajouter<span className="fr-sr-only"> : {title}</span>
        </Button>
      )}
      <Messages id={$id} errors={rawErrors} />
    </fieldset>
  );
}

function ArrayFieldItemTemplate({ children, index, buttonsProps, totalItems }: ArrayFieldItemTemplateProps) {
  return (
    <div className="element">
      {children}
      {buttonsProps.hasRemove && (
        <Button size="small" priority="tertiary" iconId="fr-icon-delete-bin-line" onClick={buttonsProps.onRemoveItem}>
          Retirer
          <span className="fr-sr-only">
            {' '}
            l’élément {index + 1} sur {totalItems}
          </span>
        </Button>
      )}
    </div>
  );
}

function BaseInputTemplate({ id, value, type, schema, options, onChange, rawErrors }: BaseInputTemplateProps) {
  const { type: kind } = getInputProps(schema, type, options);
  return (
    <input
      id={id}
      className="fr-input"
      type={kind}
      value={value ?? ''}
      autoComplete="off"
      aria-describedby={`${id}__messages`}
      aria-invalid={(rawErrors ?? []).length > 0}
      onChange={({ target }) => onChange(target.value || undefined)}
    />
  );
}

function TextareaWidget({ id, value, onChange, rawErrors }: WidgetProps) {
  return (
    <textarea
      id={id}
      className="fr-input"
      rows={4}
      value={value ?? ''}
      aria-describedby={`${id}__messages`}
      aria-invalid={(rawErrors ?? []).length > 0}
      onChange={({ target }) => onChange(target.value || undefined)}
    />
  );
}

function SelectWidget({ id, value, options: { enumOptions = [] }, onChange, rawErrors }: WidgetProps) {
  return (
    <select
      id={id}
      className="fr-select"
      value={value ?? ''}
      aria-describedby={`${id}__messages`}
      aria-invalid={(rawErrors ?? []).length > 0}
      onChange={({ target }) => onChange(target.value || undefined)}
    >
      <option value="">{enumOptions.length === 0 ? 'Rien à choisir pour le moment' : 'Choisir'}</option>
      {enumOptions.map(({ value: option, label }) => (
        <option key={option} value={option}>
          {capital(label)}
        </option>
      ))}
    </select>
  );
}

function CheckboxesWidget({ id, value, options: { enumOptions = [] }, onChange }: WidgetProps) {
  const chosen: string[] = Array.isArray(value) ? value : [];
  if (enumOptions.length === 0) return <p className="fr-hint-text">Rien à choisir pour le moment.</p>;
  return (
    <div id={id} tabIndex={-1}>
      {enumOptions.map(({ value: option, label }, index) => (
        <div key={option} className="fr-checkbox-group fr-checkbox-group--sm fr-mb-1w">
          <input
            type="checkbox"
            id={`${id}-${index}`}
            checked={chosen.includes(option)}
            aria-describedby={`${id}__messages`}
            onChange={({ target }) =>
              onChange(target.checked ? [...chosen, option] : chosen.filter((one) => one !== option))
            }
          />
          <label className="fr-label" htmlFor={`${id}-${index}`}>
            {label}
          </label>
        </div>
      ))}
    </div>
  );
}

export const templates = {
  FieldTemplate,
  ObjectFieldTemplate,
  ArrayFieldTemplate,
  ArrayFieldItemTemplate,
  BaseInputTemplate,
  ErrorListTemplate: () => null,
};

export const widgets = { TextareaWidget, SelectWidget, CheckboxesWidget };
