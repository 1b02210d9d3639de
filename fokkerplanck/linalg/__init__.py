"""How is ``(M + K/s) u = b`` solved, and what does it cost?

Front door: `choice.create_solver`.
"""
