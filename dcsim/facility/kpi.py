"""Key figures of a facility over a run, with the standard that defines each.

Every energy is an integral over the run. A figure whose denominator is zero is nan, and `efficiency` leaves
it out: a figure that a run has no answer for must not be invented.
"""

from __future__ import annotations

import math

from dcsim.facility.arrays import J_PER_KWH


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan


def pue(facility_j: float, it_j: float) -> float:
    """Power usage effectiveness [1], E_facility/E_IT (ISO/IEC 30134-2).

    Parameters:
        facility_j: energy at the utility meter [J]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(facility_j, it_j)


def itue(it_j: float, compute_j: float) -> float:
    """IT power usage effectiveness [1], E_IT/E_compute (Patterson et al., "TUE", ISC 2013).

    Parameters:
        it_j: energy at the racks' meters [J]
        compute_j: energy that reaches the nodes; supplies and rack switches are the difference [J]
    """
    return _ratio(it_j, compute_j)


def tue(facility_j: float, compute_j: float) -> float:
    """Total power usage effectiveness [1], ITUE x PUE = E_facility/E_compute (Patterson et al., ISC 2013).

    Parameters:
        facility_j: energy at the utility meter [J]
        compute_j: energy that reaches the nodes [J]
    """
    return _ratio(facility_j, compute_j)


def wue(withdrawn_l: float, it_j: float) -> float:
    """Water usage effectiveness [L/kWh], water taken in on site over E_IT (ISO/IEC 30134-9).

    Parameters:
        withdrawn_l: water taken in on site [L]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(withdrawn_l, it_j / J_PER_KWH)


def wue_source(withdrawn_l: float, source_l: float, it_j: float) -> float:
    """WUE with the water of power generation [L/kWh], WUE + PUE EWIF (The Green Grid, White Paper 35).

    Parameters:
        withdrawn_l: water taken in on site [L]
        source_l: water used to generate the facility's energy [L]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(withdrawn_l + source_l, it_j / J_PER_KWH)


def cue(operational_kg: float, it_j: float) -> float:
    """Carbon usage effectiveness [kg/kWh], carbon of operation over E_IT (ISO/IEC 30134-8).

    Parameters:
        operational_kg: carbon of operation [kg CO2e]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(operational_kg, it_j / J_PER_KWH)


def erf(reused_j: float, facility_j: float) -> float:
    """Energy reuse factor [1], E_reused/E_facility (ISO/IEC 30134-6).

    Parameters:
        reused_j: heat given away for use outside [J]
        facility_j: energy at the utility meter [J]
    """
    return _ratio(reused_j, facility_j)


def ere(facility_j: float, reused_j: float, it_j: float) -> float:
    """Energy reuse effectiveness [1], (E_facility - E_reused)/E_IT = PUE (1 - ERF) (The Green Grid, White Paper 29).

    Parameters:
        facility_j: energy at the utility meter [J]
        reused_j: heat given away for use outside [J]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(facility_j - reused_j, it_j)


def mlc(plant_j: float, it_j: float) -> float:
    """Mechanical load component [1], E_plant/E_IT (ANSI/ASHRAE 90.4, annual form).

    Parameters:
        plant_j: energy of cooling, fans, pumps and heat rejection [J]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(plant_j, it_j)


def elc(loss_j: float, it_j: float) -> float:
    """Electrical loss component [1], 1 - E_IT/(E_IT + E_loss) (ANSI/ASHRAE 90.4).

    90.4 asks for it at design load; this is the energy-weighted value of the run. PUE = 1/(1 - ELC) + MLC.

    Parameters:
        loss_j: lost in transformer, UPS and distribution up to the racks [J]
        it_j: energy at the racks' meters [J]
    """
    return _ratio(loss_j, it_j + loss_j)


def efficiency(
    *, it_j: float, compute_j: float, facility_j: float, loss_j: float, plant_j: float, reused_j: float = 0.0
) -> dict[str, float]:
    """The `efficiency` block of a summary: pue, itue, tue, erf, ere, mlc, elc; undefined figures are left out.

    Parameters: energies of the run as above [J].
    """
    figures = {
        "pue": pue(facility_j, it_j),
        "itue": itue(it_j, compute_j),
        "tue": tue(facility_j, compute_j),
        "erf": erf(reused_j, facility_j),
        "ere": ere(facility_j, reused_j, it_j),
        "mlc": mlc(plant_j, it_j),
        "elc": elc(loss_j, it_j),
    }
    return {name: value for name, value in figures.items() if not math.isnan(value)}
