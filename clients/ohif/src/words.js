// Classes, features and choices as a reader sees them.

/** The answers, in the order of keys 1 to 6. */
export const CLASSES = [
  { id: 'normal', label: 'Normal', colour: '#6fcf97' },
  { id: 'benign_fracture', label: 'Benign fracture', colour: '#56b4e9' },
  { id: 'malignant', label: 'Malignant', colour: '#eb5757' },
  { id: 'hemangioma', label: 'Hemangioma', colour: '#bb86fc' },
  { id: 'other', label: 'Other finding', colour: '#b0b8c4' },
  { id: 'indeterminate', label: 'Indeterminate', colour: '#b0b8c4' },
];

/** @param {string} id */
export const className = (id) => CLASSES.find((entry) => entry.id === id)?.label ?? id;

export const CONFIDENCES = [
  { value: 1, label: 'Guess', key: 'Q' },
  { value: 2, label: 'Low', key: 'W' },
  { value: 3, label: 'Fair', key: 'E' },
  { value: 4, label: 'High', key: 'R' },
  { value: 5, label: 'Certain', key: 'T' },
];

export const BASES = [
  { id: 'imaging', label: 'Imaging only' },
  { id: 'biopsy', label: 'Biopsy' },
  { id: 'follow_up', label: 'Follow-up' },
  { id: 'report', label: 'Report' },
];

export const SKIP_REASONS = [
  { id: 'poor_quality', label: 'Picture too poor' },
  { id: 'not_a_vertebra', label: 'Not a vertebra' },
  { id: 'out_of_field', label: 'Not all in the picture' },
  { id: 'cannot_decide', label: 'Cannot decide' },
  { id: 'other', label: 'Another reason' },
];

/** The signs, with what to look for. */
export const FEATURES = [
  { id: 'no_collapse', label: 'No collapse', help: 'All body heights are kept: no wedge, no sunken endplate, no flattening.' },
  { id: 'anterior_wedge', label: 'Anterior wedge', help: 'The front of the body is lower than the back, and the back has kept its height.' },
  { id: 'whole_body_compression', label: 'Whole body flat', help: 'Front, middle and back are all lower than in the neighbours.' },
  { id: 'central_concave', label: 'Central concave', help: 'One or both endplates sink in the middle while front and back stand.' },
  { id: 'homogeneous_marrow', label: 'Even marrow', help: 'The marrow has one signal throughout, on T1 and T2, like that of the neighbours.' },
  { id: 'dark_line', label: 'Dark line', help: 'A thin dark line or band inside the body on T1 or T2, often beside an endplate: impacted bone.' },
  { id: 'band_oedema', label: 'Band oedema', help: 'Oedema as a band along an endplate with a clear border to spared marrow: dark on T1, bright on T2 FS.' },
  { id: 'dark_patch', label: 'Dark patch', help: 'A dark area on T1 and T2 inside the body that is neither a line nor a round mass.' },
  { id: 'cleft', label: 'Cleft', help: 'A slit of fluid (bright on T2) or gas or necrosis (dark) inside the body, mostly below an endplate.' },
  { id: 'diffuse_change', label: 'Diffuse change', help: 'The signal is abnormal in more than three quarters of the body.' },
  { id: 'nodular_lesion', label: 'Nodule or mass', help: 'A round or lobed lesion in the marrow with a border of its own.' },
  { id: 'border_protrusion', label: 'Bulging border', help: 'The front or back border of the body bulges outward, convex instead of straight or angled.' },
  { id: 'soft_tissue_mass', label: 'Soft-tissue mass', help: 'Tissue beyond the bone, in the epidural space or beside the spine.' },
  { id: 'posterior_elements', label: 'Posterior elements', help: 'Abnormal signal reaches a pedicle, the arch or a process.' },
  { id: 'skip_lesion', label: 'Skipped lesion', help: 'Another vertebra, not a neighbour, carries a lesion as well.' },
];

/** Signs that cannot be seen together in one vertebra. @type {[string, string[]][]} */
const EXCLUSIVE = [
  ['no_collapse', ['anterior_wedge', 'whole_body_compression', 'central_concave']],
  ['homogeneous_marrow', ['diffuse_change']],
];

/**
 * Why a sign cannot be ticked beside those ticked already, or null.
 * @param {string} id @param {string[]} ticked
 */
export function excludedBy(id, ticked) {
  for (const [one, others] of EXCLUSIVE) {
    const against = id === one ? others.filter((other) => ticked.includes(other)) : others.includes(id) && ticked.includes(one) ? [one] : [];
    if (against.length) return `Excluded by “${FEATURES.find((feature) => feature.id === against[0])?.label}”.`;
  }
  return null;
}

/** Parts of the uncertainty, by the server's names for them. @type {Record<string, [string, string]>} */
const PARTS = {
  entropy: ['Class spread', 'How evenly the probability is spread over the classes'],
  sequence_disagreement: ['T1 against T2', 'How far the opinions on T1 and on T2 lie apart'],
  detector_disagreement: ['Detector against classifier', 'How far the detector and the classifier lie apart'],
  detection: ['Box', 'How unsure the detector is that this is a vertebra'],
  numbering: ['Name', 'Whether counting the levels was unsure'],
  augmentation: ['Shifted picture', 'How much the opinion changes when the picture is shifted a little'],
};

/** @param {string} part @returns {[string, string]} name and what it means */
export const partWords = (part) => PARTS[part] ?? [part.replaceAll('_', ' '), ''];

export const LISTS = { assisted: 'Assisted', blinded: 'Blinded', second: 'Second reader', adjudication: 'Adjudication' };

/** @param {number} share 0 to 1 */
export const percent = (share) => `${Math.round(share * 100)} %`;
