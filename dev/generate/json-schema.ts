/** The schemas of src/api in the form that a CustomResourceDefinition takes. */
import { z } from 'zod';
import type { Rule } from '../../src/api/cel.ts';

/** A structural schema of Kubernetes: what this API uses of it. */
export type JsonSchema = {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema;
  readonly 'x-kubernetes-validations'?: readonly Rule[];
};

/** What the API server may be given: the input of the schema, so before defaults and transformations. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'openapi-3.0',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // What the operator reads in place of a value that it cannot read is no default: the API server must not write it.
      if (zodSchema instanceof z.ZodCatch) delete jsonSchema.default;
      if (jsonSchema.required?.length === 0) delete jsonSchema.required;
    },
  });
  return inReadingOrder(json as JsonSchema);
}

/** The type first, and what is within last. */
function inReadingOrder({ type, format, properties, items, ...rest }: JsonSchema): JsonSchema {
  return {
    ...(type === undefined ? {} : { type }),
    ...(format === undefined ? {} : { format }),
    ...rest,
    ...(properties === undefined ? {} : { properties: inEach(properties) }),
    ...(items === undefined ? {} : { items: inReadingOrder(items) }),
  };
}

const inEach = (properties: Readonly<Record<string, JsonSchema>>): Readonly<Record<string, JsonSchema>> =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, inReadingOrder(schema)]));
