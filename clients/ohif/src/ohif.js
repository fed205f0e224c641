// The managers that OHIF hands to an extension, and what the rest of the client needs of them.

/** @type {{servicesManager: any, commandsManager: any, extensionManager: any} | null} */
let managers = null;

/** @param {any} given what OHIF passes to preRegistration */
export function useManagers(given) {
  managers = given;
}

function known() {
  if (!managers) throw new Error('The viewer has not started the extension yet.');
  return managers;
}

/** @returns {any} OHIF's services by name */
export const services = () => known().servicesManager.services;
export const extensionManager = () => known().extensionManager;
/** @returns {any} */
export const dataSource = () => known().extensionManager.getActiveDataSource()[0];

/** @returns {any} cornerstone's core, as OHIF's bundle exposes it */
export const core = () => /** @type {any} */ (window).cornerstone;
/** @returns {any} */
export const tools = () => /** @type {any} */ (window).cornerstoneTools;
