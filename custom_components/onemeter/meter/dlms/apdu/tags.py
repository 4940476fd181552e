"""Tags of APDUs (IEC 62056-5-3, clause 8, table of xDLMS tags): the first byte of a message."""

from typing import Final

INITIATE_REQUEST: Final = 0x01
READ_REQUEST: Final = 0x05
INITIATE_RESPONSE: Final = 0x08
READ_RESPONSE: Final = 0x0C
CONFIRMED_SERVICE_ERROR: Final = 0x0E
DATA_NOTIFICATION: Final = 0x0F

#: Ciphered with the global key.
GLO_INITIATE_REQUEST: Final = 0x21
GLO_READ_REQUEST: Final = 0x25
GLO_INITIATE_RESPONSE: Final = 0x28
GLO_READ_RESPONSE: Final = 0x2C
GLO_CONFIRMED_SERVICE_ERROR: Final = 0x2E

#: Ciphered with the dedicated key of the association.
DED_READ_REQUEST: Final = 0x45
DED_READ_RESPONSE: Final = 0x4C

#: Messages of ACSE, which open and release associations.
AARQ: Final = 0x60
AARE: Final = 0x61
RLRQ: Final = 0x62
RLRE: Final = 0x63

GET_REQUEST: Final = 0xC0
EVENT_NOTIFICATION: Final = 0xC2
ACTION_REQUEST: Final = 0xC3
GET_RESPONSE: Final = 0xC4
ACTION_RESPONSE: Final = 0xC7

GLO_GET_REQUEST: Final = 0xC8
GLO_EVENT_NOTIFICATION: Final = 0xCA
GLO_ACTION_REQUEST: Final = 0xCB
GLO_GET_RESPONSE: Final = 0xCC
GLO_ACTION_RESPONSE: Final = 0xCF

DED_GET_REQUEST: Final = 0xD0
DED_EVENT_NOTIFICATION: Final = 0xD2
DED_ACTION_REQUEST: Final = 0xD3
DED_GET_RESPONSE: Final = 0xD4
DED_ACTION_RESPONSE: Final = 0xD7

EXCEPTION_RESPONSE: Final = 0xD8

#: Ciphered, with the system title of the sender in front.
GENERAL_GLO_CIPHERING: Final = 0xDB
GENERAL_DED_CIPHERING: Final = 0xDC
#: Also with transaction id, recipient, date-time, other information and key information.
GENERAL_CIPHERING: Final = 0xDD
ANY_GENERAL_CIPHERING: Final = frozenset(
    {GENERAL_GLO_CIPHERING, GENERAL_DED_CIPHERING, GENERAL_CIPHERING}
)
GENERAL_BLOCK_TRANSFER: Final = 0xE0
