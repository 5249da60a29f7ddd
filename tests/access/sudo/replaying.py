"""Stands before an agent: replaying.py AGENT SOCKET. What was signed once is given again."""

import socket
import sys

signed = b""


def receive(connection: socket.socket) -> bytes:
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    return data


listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[2])
listening.listen()
while True:
    client, _ = listening.accept()
    agent = socket.socket(socket.AF_UNIX)
    agent.connect(sys.argv[1])
    while message := receive(client):
        if message[4] == 13 and signed:
            client.sendall(signed)
            continue
        agent.sendall(message)
        answer = receive(agent)
        if message[4] == 13:
            signed = answer
        client.sendall(answer)
