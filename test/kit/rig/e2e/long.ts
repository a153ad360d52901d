/** The long form of the end-to-end tests, for figures to publish: E2E_TIMES says how often each thing happens. */
const wanted = process.env['E2E_TIMES'];

/** Nothing runs beside what is measured. */
export const ALONE = wanted !== undefined;

export const timesOr = (usual: number): number => (wanted === undefined ? usual : Number(wanted));
