"""Agents of others' making: who may play which role.

charter.py   What a charter may say: refused at load, with what to do instead
"""
