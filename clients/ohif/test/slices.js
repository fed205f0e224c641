// Slices to test with.

/** A sagittal slice: columns run to the back (+y), rows to the feet (-z). */
export const sagittal = (changes = {}) => ({
  origin: [10, -100, 200], row: [0, 1, 0], column: [0, 0, -1], columnSpacing: 0.5, rowSpacing: 0.8, columns: 400, rows: 300, ...changes,
});
