"""Use of a meter in Home Assistant's Energy dashboard, in the role that the user has chosen."""

from .items import Role, offered_roles
from .preferences import (
    async_add_to_energy,
    async_default_role,
    async_remove_from_energy,
    async_setup_energy_dashboard,
)

__all__ = [
    "Role",
    "async_add_to_energy",
    "async_default_role",
    "async_remove_from_energy",
    "async_setup_energy_dashboard",
    "offered_roles",
]
