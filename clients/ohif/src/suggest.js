// Which name a newly drawn level most likely has, from its neighbours.

/**
 * @param {{name: string, height: number}[]} present levels, `height` growing towards the feet
 * @param {number} height of the drawn one
 * @param {string[]} names all names, head to foot
 * @returns {string | null}
 */
export function suggestedName(present, height, names) {
  const taken = new Set(present.map((level) => level.name));
  const sorted = [...present].sort((a, b) => a.height - b.height);
  const above = sorted.filter((level) => level.height < height).at(-1);
  const below = sorted.find((level) => level.height >= height);
  const rare = new Set(['T13', 'L6']);
  const usual = names.filter((name) => !rare.has(name));
  const free = (/** @type {string | undefined} */ name) => (name && !taken.has(name) ? name : null);
  const next = above && free(usual[usual.indexOf(above.name) + 1]);
  const before = below && free(usual[usual.indexOf(below.name) - 1]);
  if (next || before) return next || before || null;
  // No name is free between the neighbours: a supernumerary vertebra, where one can be.
  if (above?.name === 'T12' && free('T13')) return 'T13';
  if (above?.name === 'L5' && free('L6')) return 'L6';
  // Else the free name nearest to the level above, rare ones included.
  const from = names.indexOf(above?.name ?? below?.name ?? '');
  const nearness = (/** @type {string} */ name) => Math.abs(names.indexOf(name) - from);
  return names.filter(free).sort((a, b) => nearness(a) - nearness(b))[0] ?? null;
}
